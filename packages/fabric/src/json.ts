// SPDX-License-Identifier: Apache-2.0
// Payloads that are JSON: those of the node's own methods.
import { FabricError } from "./errors.ts";

/** Something that checks a value, such as a zod schema. */
export interface Parser<T> {
  safeParse(
    value: unknown,
  ): { success: true; data: T } | { success: false; error: { message: string } };
}

/** The bytes of a value as JSON. */
export function encodeJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value) ?? "null", "utf8");
}

/** The value of JSON bytes; undefined for none. Throws `invalid_argument`. */
export function decodeJson(payload: Uint8Array | undefined): unknown {
  if (payload === undefined || payload.length === 0) return undefined;
  try {
    return JSON.parse(
      Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString("utf8"),
    );
  } catch (cause) {
    throw new FabricError("invalid_argument", "the payload is not JSON", { cause });
  }
}

/** The same, checked by a schema. */
export function parseJson<T>(payload: Uint8Array | undefined, schema: Parser<T>): T {
  const result = schema.safeParse(decodeJson(payload));
  if (result.success) return result.data;
  throw new FabricError("invalid_argument", `the payload does not fit: ${result.error.message}`);
}
