// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { FairleadError } from "#base/errors.ts";
import { fabricErrors } from "#fabric/errors.ts";
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

/** A message that waits for the group. Throws FL0971 rather than returning a damaged one. */
export function readMessage(db: DatabaseSync, name: string, sequence: number): Message | undefined {
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
    !(payload instanceof Uint8Array) ||
    sumMessage(subject, typeof key === "string" ? key : null, headers, payload) !== checksum
  )
    throw new FairleadError(fabricErrors["log-corrupt"], `message ${sequence} is damaged`, {
      facts: { sequence },
    });
  return {
    sequence,
    subject,
    payload,
    key: typeof key === "string" ? key : undefined,
    headers: JSON.parse(headers) as Readonly<Record<string, string>>,
    attempt: Number(attempt),
    publishedAtMs: Number(atMs),
  };
}
