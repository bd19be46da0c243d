// SPDX-License-Identifier: Apache-2.0
// One line of the log. Its hash covers the bytes as they stand in the file, the hash of the line before among them; so
// there is no second way to write the same line, and nothing of it can be changed alone.
import { createHash } from "node:crypto";
import type { AuditEntry, AuditLine } from "./audit.ts";

/** `prev` of the first line. */
export const GENESIS = "0".repeat(64);

const FACTS_MAX = 20;
const TEXT_MAX = 300;
/** `,"hash":"` and 64 digits and `"}`. */
const SEAL_START = ',"hash":"';
const SEAL_BYTES = SEAL_START.length + 64 + 2;
const HASH = /^[0-9a-f]{64}$/;

function hashBytes(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function cut(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX - 1)}…`;
}

function cutFacts(facts: NonNullable<AuditEntry["facts"]>): AuditEntry["facts"] {
  return Object.fromEntries(
    Object.entries(facts)
      .slice(0, FACTS_MAX)
      .map(([name, value]) => [cut(name), typeof value === "string" ? cut(value) : value]),
  );
}

/** Where in the chain an entry gets its place. */
export interface Place {
  readonly seq: number;
  readonly atMs: number;
  readonly prev: string;
}

/** The bytes with the newline, and the hash that the next line has as its `prev`. */
export function encodeLine(
  entry: AuditEntry,
  { seq, atMs, prev }: Place,
): { readonly bytes: Buffer; readonly hash: string } {
  const { kind, actor, what, outcome, facts } = entry;
  const body = JSON.stringify({
    seq,
    at: new Date(atMs).toISOString(),
    kind,
    actor: cut(actor),
    what: cut(what),
    outcome: cut(outcome),
    ...(facts === undefined ? {} : { facts: cutFacts(facts) }),
    prev,
  }).slice(0, -1);
  const hash = hashBytes(Buffer.from(body));
  return { bytes: Buffer.from(`${body}${SEAL_START}${hash}"}\n`), hash };
}

/** A line without its newline; undefined when one byte of it is not as it was written. */
export function decodeLine(bytes: Buffer): AuditLine | undefined {
  const body = bytes.subarray(0, -SEAL_BYTES);
  const seal = bytes.subarray(-SEAL_BYTES).toString("latin1");
  const hash = seal.slice(SEAL_START.length, -2);
  if (seal !== `${SEAL_START}${hash}"}` || !HASH.test(hash) || hashBytes(body) !== hash)
    return undefined;
  try {
    const { at, ...rest } = JSON.parse(`${body.toString("utf8")}}`) as Omit<
      AuditLine,
      "atMs" | "hash"
    > & { readonly at: string };
    return { ...rest, atMs: Date.parse(at), hash };
  } catch {
    return undefined;
  }
}
