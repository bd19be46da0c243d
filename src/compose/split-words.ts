// SPDX-License-Identifier: Apache-2.0

/** A command line as words, by the quoting rules of a POSIX shell and nothing else of it; undefined when a quote is open. */
export function splitWords(line: string): string[] | undefined {
  const words: string[] = [];
  let current: string | undefined;
  let quote = "";
  for (let at = 0; at < line.length; at++) {
    const found = line.charAt(at);
    const next = line.charAt(at + 1);
    if (quote === "" && /\s/.test(found)) {
      if (current !== undefined) words.push(current);
      current = undefined;
    } else if (found === quote) {
      quote = "";
    } else if (quote === "" && (found === "'" || found === '"')) {
      quote = found;
      current ??= "";
    } else if (
      found === "\\" &&
      quote !== "'" &&
      next !== "" &&
      (quote === "" || /["\\$`\n]/.test(next))
    ) {
      current = (current ?? "") + (next === "\n" ? "" : next);
      at++;
    } else {
      current = (current ?? "") + found;
    }
  }
  if (quote !== "") return undefined;
  if (current !== undefined) words.push(current);
  return words;
}
