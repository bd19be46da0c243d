// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { KeptMessage } from "./message-log.ts";

/** Checksum over everything that is delivered; `headers` as JSON. */
export function sumMessage(
  subject: string,
  key: string | null,
  headers: string,
  payload: Uint8Array,
): number {
  return crc32(payload, crc32(JSON.stringify([subject, key, headers])));
}

/** A message, and whether the disk gave what was written; of a damaged one payload and headers are empty. */
export interface ReadMessage extends Omit<KeptMessage, "attempt"> {
  readonly whole: boolean;
}

/** Reads messages by their sequence; undefined for one that is not there or has no subject any more. */
export function createReader(db: DatabaseSync): (sequence: number) => ReadMessage | undefined {
  const find = db.prepare("SELECT * FROM messages WHERE sequence = ?");
  return (sequence) => {
    const row = find.get(sequence);
    if (row === undefined) return undefined;
    const { subject, key, headers, payload, checksum, at_ms: atMs } = row;
    if (
      typeof subject !== "string" ||
      typeof headers !== "string" ||
      !(payload instanceof Uint8Array)
    )
      return undefined;
    const whole =
      sumMessage(subject, typeof key === "string" ? key : null, headers, payload) === checksum;
    return {
      sequence,
      subject,
      payload: whole ? payload : new Uint8Array(),
      key: typeof key === "string" ? key : undefined,
      headers: whole ? (JSON.parse(headers) as Readonly<Record<string, string>>) : {},
      publishedAtMs: Number(atMs),
      whole,
    };
  };
}
