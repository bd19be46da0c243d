// SPDX-License-Identifier: Apache-2.0
// The files of a log: `audit-000000000001.jsonl` is named by the number of its first line; a new one begins when one is large.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const NAME = /^audit-(\d{12})\.jsonl$/;
const NEWLINE = 0x0a;

/** The name of the file that begins with line `seq`. */
export function nameFile(seq: number): string {
  return `audit-${String(seq).padStart(12, "0")}.jsonl`;
}

/** Names, the oldest first. */
export async function listFiles(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory);
  return names.filter((name) => NAME.test(name)).sort();
}

/** A file's lines, without their newlines, and what stands after the last newline. */
export async function readLines(
  directory: string,
  name: string,
): Promise<{ readonly lines: readonly Buffer[]; readonly rest: Buffer }> {
  const bytes = await readFile(join(directory, name));
  const lines: Buffer[] = [];
  let from = 0;
  for (;;) {
    const to = bytes.indexOf(NEWLINE, from);
    if (to === -1) return { lines, rest: bytes.subarray(from) };
    lines.push(bytes.subarray(from, to));
    from = to + 1;
  }
}
