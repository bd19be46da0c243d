// SPDX-License-Identifier: Apache-2.0
// Old files go, oldest first. Before they do, a line of the log says up to which line they went and the hash of that line:
// the chain then begins where the log itself says, and the signed heads cover that line as every other.
import { stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { AuditEntry, AuditLine } from "./audit.ts";
import { listFiles, readLines } from "./files.ts";
import { decodeLine } from "./line.ts";

/** What is kept at least, and at most. */
export interface Retention {
  readonly keepMs: number;
  readonly sizeMaxBytes: number;
}

/** Files that are to go. */
export interface Removal {
  readonly files: readonly string[];
  /** The last line in them. */
  readonly last: Pick<AuditLine, "seq" | "hash">;
}

const WHAT = "removed old lines";

async function readLast(directory: string, file: string): Promise<AuditLine | undefined> {
  const bytes = (await readLines(directory, file)).lines.at(-1);
  return bytes === undefined ? undefined : decodeLine(bytes);
}

/** What is too old or too much; never the newest file, and nothing behind a file that was changed: that is evidence. */
export async function planRemoval(
  directory: string,
  { keepMs, sizeMaxBytes }: Retention,
  nowMs: number,
): Promise<Removal | undefined> {
  const names = await listFiles(directory);
  const sizes = await Promise.all(
    names.map(async (name) => (await stat(join(directory, name))).size),
  );
  let left = sizes.reduce((sum, size) => sum + size, 0);
  let last: Removal["last"] | undefined;
  const files: string[] = [];
  for (const [index, name] of names.slice(0, -1).entries()) {
    const line = await readLast(directory, name);
    if (line === undefined || (left <= sizeMaxBytes && line.atMs >= nowMs - keepMs)) break;
    left -= sizes[index] ?? 0;
    files.push(name);
    last = { seq: line.seq, hash: line.hash };
  }
  return last === undefined ? undefined : { files, last };
}

/** The line that is written before. */
export function describeRemoval({ files, last }: Removal): AuditEntry {
  const facts = { to: last.seq, hash: last.hash, files: files.length };
  const outcome = `up to line ${last.seq}, as audit.keepDays and audit.sizeMaxBytes say`;
  return { kind: "audit", actor: "automatic", what: WHAT, outcome, facts };
}

/** What such a line says; undefined for any other. */
export function readRemoval({ kind, what, facts }: AuditLine): Removal["last"] | undefined {
  if (kind !== "audit" || what !== WHAT) return undefined;
  const { to, hash } = facts ?? {};
  return typeof to === "number" && typeof hash === "string" ? { seq: to, hash } : undefined;
}

/** Takes them away, the oldest first: what a crash leaves is still a whole end. */
export async function removeFiles(directory: string, { files }: Removal): Promise<void> {
  for (const file of files) await unlink(join(directory, file));
}
