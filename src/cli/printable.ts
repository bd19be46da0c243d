// SPDX-License-Identifier: Apache-2.0
// Text of others, made safe and measured for a terminal.

const NARROW = /^[\u0020-\u2e7f]*$/;

const ACTED_ON =
  // oxlint-disable-next-line no-control-regex -- these are what must not reach a terminal
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Cells that a text takes on screen: 2 for East Asian wide signs and emoji, 0 for marks that combine. */
export function measureWidth(text: string): number {
  if (NARROW.test(text) && !/\p{Mn}/u.test(text)) return text.length;
  let width = 0;
  for (const sign of text) {
    if (/\p{Mn}/u.test(sign)) continue;
    width += NARROW.test(sign) ? 1 : 2;
  }
  return width;
}

/** Text as it is safe to print: control signs of containers' names and outputs cannot move the cursor, nor turn a line around. */
export function makePrintable(text: string): string {
  return text.replaceAll(ACTED_ON, "\uFFFD");
}

// oxlint-disable-next-line no-control-regex -- colours are all that a log line may do to a terminal
const COLOR_CODES = /\u001b\[[0-9;]*m/;

const RESET = "\u001b[0m";

/** A line of a log with its colours, if colour is wanted, and nothing else that moves a terminal. */
export function cleanLogLine(text: string, color: boolean): string {
  if (!COLOR_CODES.test(text)) return makePrintable(text);
  const codes = text.match(new RegExp(COLOR_CODES, "g")) ?? [];
  const parts = text.split(COLOR_CODES).map(makePrintable);
  if (!color) return parts.join("");
  return `${parts.map((part, at) => part + (codes[at] ?? "")).join("")}${RESET}`;
}

/** Lines of Fairlead's own with what others chose inside: its colours stay, everything else that moves a terminal goes. */
export function keepColours(text: string): string {
  const codes = text.match(new RegExp(COLOR_CODES, "g"));
  if (codes === null) return makePrintable(text);
  const parts = text.split(COLOR_CODES).map(makePrintable);
  const kept = parts.map((part, at) => part + (codes[at] ?? "")).join("");
  return codes.at(-1) === RESET ? kept : `${kept}${RESET}`;
}
