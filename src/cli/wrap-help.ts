// SPDX-License-Identifier: Apache-2.0
// Pages of help in a terminal that is narrower than they are.

/** So wide a last column has to stay; else it goes below its first one. */
const COLUMN_MIN = 24;
const BELOW = " ".repeat(8);
const WIDTH_MIN = 20;

/** The part of a line before its last column: `  up            ` of `  up            make a scope`. */
const HEAD = /^ *\S+(?: \S+)* {2,}(?=\S)/;

function wrapLine(line: string, width: number): string[] {
  if (line.length <= width) return [line];
  const [head = ""] = HEAD.exec(line) ?? [];
  const isBelow = head !== "" && width - head.length < COLUMN_MIN;
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
  return text
    .split("\n")
    .flatMap((line) => wrapLine(line, width))
    .join("\n");
}
