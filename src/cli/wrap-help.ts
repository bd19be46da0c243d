// SPDX-License-Identifier: Apache-2.0
// Pages of help in a terminal that is narrower than they are.

/** So wide a last column has to stay; else it goes below the first one, in all lines of its table. */
const COLUMN_MIN = 24;
const BELOW = " ".repeat(8);
const WIDTH_MIN = 20;

/** The part of a line before its last column: `  up            ` of `  up            make a scope`. */
const HEAD = /^ *\S+(?: \S+)* {2,}(?=\S)/;

function headOf(line: string): string {
  return HEAD.exec(line)?.[0] ?? "";
}

/** Consecutive lines whose last columns stand below each other. */
function groupLines(lines: readonly string[]): string[][] {
  const groups: string[][] = [];
  let before = 0;
  for (const line of lines) {
    const { length } = headOf(line);
    const group = groups.at(-1);
    if (group !== undefined && length > 0 && length === before) group.push(line);
    else groups.push([line]);
    before = length;
  }
  return groups;
}

function wrapGroup(group: readonly string[], width: number): string[] {
  const isBelow = group.some((line) => {
    const { length } = headOf(line);
    return length > 0 && line.length > width && width - length < COLUMN_MIN;
  });
  return group.flatMap((line) => wrapLine(line, width, isBelow));
}

function wrapLine(line: string, width: number, isBelow: boolean): string[] {
  if (line.length <= width && !isBelow) return [line];
  const head = headOf(line);
  const indent = head === "" ? "  " : isBelow ? BELOW : " ".repeat(head.length);
  const lines = isBelow ? [head.trimEnd()] : [];
  let open = isBelow ? indent : head;
  let isEmpty = true;
  for (const word of line.slice(head.length).split(" ")) {
    const longer = isEmpty ? open + word : `${open} ${word}`;
    if (isEmpty || longer.length <= width) open = longer;
    else {
      lines.push(open);
      open = indent + word;
    }
    isEmpty = false;
  }
  return [...lines, open];
}

/** Lines of at most `columns` signs, broken between words below where their text begins; a longer word stays whole. */
export function wrapHelp(text: string, columns: number): string {
  const width = Math.max(WIDTH_MIN, columns);
  return groupLines(text.split("\n"))
    .flatMap((group) => wrapGroup(group, width))
    .join("\n");
}
