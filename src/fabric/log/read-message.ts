// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { Message } from "./message-log.ts";

/** Checksum over everything that is delivered; `headers` as JSON. */
export function sumMessage(
  subject: string,
  key: string | null,
  headers: string,
  payload: Uint8Array,
): number {
  return crc32(payload, crc32(JSON.stringify([subject, key, headers])));
}

/**
 * A message that waits for the group; undefined when it is not there or what the disk gave is not what was written. Of a
 * damaged one, what is needed to bury it can be asked for: its payload and headers are then empty.
 */
export function readMessage(
  db: DatabaseSync,
  name: string,
  sequence: number,
  want: "whole" | "damaged too" = "whole",
): Message | undefined {
  const row = db
    .prepare(
      "SELECT m.*, p.attempt FROM pending p JOIN messages m USING (sequence) WHERE name = ? AND sequence = ?",
    )
    .get(name, sequence);
  if (row === undefined) return undefined;
  const { subject, key, headers, payload, checksum, attempt, at_ms: atMs } = row;
  if (
    typeof subject !== "string" ||
    typeof headers !== "string" ||
    !(payload instanceof Uint8Array)
  )
    return undefined;
  const whole =
    sumMessage(subject, typeof key === "string" ? key : null, headers, payload) === checksum;
  if (!whole && want === "whole") return undefined;
  return {
    sequence,
    subject,
    payload: whole ? payload : new Uint8Array(),
    key: typeof key === "string" ? key : undefined,
    headers: whole ? (JSON.parse(headers) as Readonly<Record<string, string>>) : {},
    attempt: Number(attempt),
    publishedAtMs: Number(atMs),
  };
}
