// SPDX-License-Identifier: Apache-2.0
import { makePrintable, measureWidth } from "./printable.ts";
import type { Style, Tone } from "./style.ts";

/** One column of a list. `key` is what `--filter` calls it. */
export interface Column<T> {
  readonly key: string;
  readonly title: string;
  readonly value: (item: T) => string;
  readonly tone?: (item: T) => Tone;
  /** Only with `-o wide`. */
  readonly wide?: boolean;
  /** Of a wide one: also where the rows differ in it. */
  readonly tellsApart?: boolean;
  /** Only for --filter. */
  readonly hidden?: boolean;
}

/** Lines of a table without borders, columns two spaces apart. */
export function renderTable<T>(
  items: readonly T[],
  columns: readonly Column<T>[],
  style: Style,
): string[] {
  const cells = items.map((item) =>
    columns.map(
      (column) => makePrintable(column.value(item)).replaceAll(/\s+/g, " ").trim() || "-",
    ),
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
