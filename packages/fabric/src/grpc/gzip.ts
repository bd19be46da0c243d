// SPDX-License-Identifier: Apache-2.0
// Compression of single messages, as gRPC has it (https://github.com/grpc/grpc/blob/master/doc/compression.md). A link does
// not use it: its batches are compressed inside.
import { gunzipSync, gzipSync } from "node:zlib";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { writePrefix } from "./deframer.ts";

/** What is accepted, as the value of `grpc-accept-encoding`. */
export const ACCEPTED = "identity,gzip";

/** A message with its prefix, as it goes over the wire. */
export function frameMessage(message: Uint8Array, compressed = false): Buffer {
  const body = compressed ? gzipSync(message) : message;
  const prefix = Buffer.allocUnsafe(5);
  writePrefix(prefix, body.length, compressed);
  return Buffer.concat([prefix, body]);
}

/**
 * A message as it was before it was compressed. Throws `unimplemented` for another encoding, `internal` where none was named,
 * `resource_exhausted` above the limit, and before that much is unpacked.
 */
export function unpackMessage(
  message: Buffer,
  encoding: string | undefined,
  messageBytesMax: number,
): Buffer {
  if (encoding === undefined || encoding === "identity")
    throw new FabricError("internal", "a message is compressed, and no encoding was named");
  if (encoding !== "gzip")
    throw new FabricError("unimplemented", `encoding ${encoding} is not known, ${ACCEPTED} are`);
  try {
    return gunzipSync(message, { maxOutputLength: messageBytesMax });
  } catch (cause) {
    const isLarge =
      cause instanceof RangeError && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE";
    throw isLarge
      ? new FabricError("resource_exhausted", `a message is above ${messageBytesMax} bytes`, {
          reason: "too-large",
          cause,
        })
      : new FabricError("internal", "a message cannot be decompressed", { cause });
  }
}
