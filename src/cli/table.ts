// SPDX-License-Identifier: Apache-2.0
import type { Style, Tone } from "./style.ts";

/** One column of a list. `key` is what `--filter` calls it. */
export interface Column<T> {
  readonly key: string;
  readonly title: string;
  readonly value: (item: T) => string;
  readonly tone?: (item: T) => Tone;
  /** Only with `-o wide`. */
  readonly wide?: boolean;
  /** Only for --filter. */
  readonly hidden?: boolean;
}

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
  // eslint-disable-next-line no-control-regex -- these are what must not reach a terminal
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\uFFFD");
}

/** Lines of a table without borders, columns two spaces apart. */
export function renderTable<T>(
  items: readonly T[],
  columns: readonly Column<T>[],
  style: Style,
): string[] {
  const cells = items.map((item) =>
    columns.map((column) => makePrintable(column.value(item)) || "-"),
  );
  const widths = columns.map((column, at) =>
    Math.max(column.title.length, ...cells.map((row) => measureWidth(row[at] ?? ""))),
  );
  const pad = (text: string, at: number, painted: string) =>
    at === columns.length - 1
      ? painted
      : painted + " ".repeat((widths[at] ?? 0) - measureWidth(text) + 2);
  const head = columns
    .map((column, at) => pad(column.title, at, style.paint(column.title, "dim")))
    .join("");
  const rows = items.map((item, row) =>
    columns
      .map((column, at) => {
        const text = cells[row]?.[at] ?? "";
        return pad(text, at, style.paint(style.plain(text), column.tone?.(item) ?? "plain"));
      })
      .join(""),
  );
  return [head, ...rows];
}
