// SPDX-License-Identifier: Apache-2.0
// CSV as spreadsheets write it: comma, semicolon or tab, cells in quotation marks, either line ending, a byte order mark.
import { topologyErrors } from "./errors.ts";
import { refuseText } from "./layout.ts";

/** A cell and where it begins. Lines and columns count from 1. */
export interface Cell {
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

/** A cell as it is written: in quotation marks where it could be read as something else. */
export function writeCell(text: string): string {
  return /^$|[",;\s\uFEFF]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The first separator of the first line; a comma when there is none. */
function findSeparator(text: string): string {
  return /^[^\n]*?([,;\t])/.exec(text)?.[1] ?? ",";
}

const LINE_END = /\r\n|\n|\r/g;

/** Reads one cell at `at`: its text and where it ends. Undefined when quotation marks are amiss. */
function readCell(
  text: string,
  at: number,
  separator: string,
): { readonly text: string; readonly end: number } | undefined {
  const isEnd = (i: number): boolean =>
    i >= text.length || text[i] === separator || text[i] === "\n" || text[i] === "\r";
  if (text[at] === '"') {
    let close = text.indexOf('"', at + 1);
    while (close >= 0 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
    if (close < 0 || !isEnd(close + 1)) return undefined;
    return { text: text.slice(at + 1, close).replaceAll('""', '"'), end: close + 1 };
  }
  let end = at;
  while (!isEnd(end)) if (text[end++] === '"') return undefined;
  return { text: text.slice(at, end).trim(), end };
}

/** The rows of a CSV text without empty lines. Throws `bad-csv` with the place. */
export function parseCsv(source: string, file: string): readonly (readonly Cell[])[] {
  const text = source.startsWith("\uFEFF") ? source.slice(1) : source;
  const separator = findSeparator(text);
  const rows: Cell[][] = [];
  let [row, line, lineStart]: [Cell[], number, number] = [[], 1, 0];
  for (let at = 0; at < text.length;) {
    const place = { line, column: at - lineStart + 1 };
    const cell = readCell(text, at, separator);
    if (cell === undefined)
      throw refuseText(topologyErrors["bad-csv"], "a quotation mark is amiss", file, place);
    row.push({ text: cell.text, ...place });
    if (text[at] === '"')
      for (const { index, 0: end } of text.slice(at, cell.end).matchAll(LINE_END)) {
        line++;
        lineStart = at + index + end.length;
      }
    at = cell.end;
    if (text[at] === separator) {
      at++;
      if (at === text.length) row.push({ text: "", line, column: at - lineStart + 1 });
      continue;
    }
    if (row.some((each) => each.text !== "")) rows.push(row);
    row = [];
    at += text.startsWith("\r\n", at) ? 2 : 1;
    line++;
    lineStart = at;
  }
  if (row.some((each) => each.text !== "")) rows.push(row);
  return rows;
}
