// SPDX-License-Identifier: Apache-2.0
// Text of others, made safe and measured for a terminal.

const NARROW = /^[\u0020-\u2e7f]*$/;

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

/** Text as it is safe to print: control signs of containers' names and outputs cannot move the cursor. */
export function makePrintable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are what must not reach a terminal
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\uFFFD");
}
