// SPDX-License-Identifier: Apache-2.0
// Compression of batches: only where a large payload is in them, only if it shrinks, never beyond the receiver's limit.
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { encodeCompressed } from "./encode-frame.ts";
import { FabricError } from "./errors.ts";
import { ENCODING, type CompressedBatch } from "./frame.ts";
import { HEADROOM } from "./transport.ts";

/** Payloads smaller than this are not worth the processor's time. */
const PAYLOAD_BYTES_MIN = 1_024;
/** A batch has to shrink to this share, else it is sent as it is. */
const SHARE_MAX = 0.9;
/** After a batch that did not shrink, this many are sent without trying. */
const SKIP = 16;

/** Encodings that this process can decompress, the preferred one first. */
export const ENCODINGS: readonly number[] =
  typeof zstdCompressSync === "function" ? [ENCODING.zstd, ENCODING.gzip] : [ENCODING.gzip];

/** Makes the compressor of one link, for the encodings that the peer takes; undefined when none fits. */
export function createCompressor(
  accepted: readonly number[],
):
  | ((parts: readonly Uint8Array[], sizeBytes: number, payloadBytes: number) => Buffer | undefined)
  | undefined {
  const encoding = ENCODINGS.find((one) => accepted.includes(one));
  if (encoding === undefined) return undefined;
  let skip = 0;
  return (parts, sizeBytes, payloadBytes) => {
    if (payloadBytes < PAYLOAD_BYTES_MIN) return undefined;
    if (skip > 0) {
      skip--;
      return undefined;
    }
    const whole = Buffer.concat(parts, sizeBytes + HEADROOM).subarray(HEADROOM);
    const bytes =
      encoding === ENCODING.zstd
        ? zstdCompressSync(whole, { params: { [constants.ZSTD_c_compressionLevel]: 1 } })
        : gzipSync(whole, { level: 1 });
    if (bytes.length > sizeBytes * SHARE_MAX) {
      skip = SKIP;
      return undefined;
    }
    return Buffer.concat([
      Buffer.allocUnsafe(HEADROOM),
      encodeCompressed({ bytes, encoding, sizeBytes }),
    ]);
  };
}

/** The batch that was compressed. Throws `resource_exhausted` above `sizeBytesMax`, `invalid_argument` for what is no such thing. */
export function decompressBatch(batch: CompressedBatch, sizeBytesMax: number): Buffer {
  const { bytes, encoding, sizeBytes } = batch;
  if (sizeBytes > sizeBytesMax) {
    throw new FabricError(
      "resource_exhausted",
      `a batch of ${sizeBytes} bytes is above the limit`,
      {
        reason: "too-large",
      },
    );
  }
  const options = { maxOutputLength: Math.max(1, sizeBytes) };
  let whole: Buffer;
  try {
    if (encoding === ENCODING.zstd) whole = zstdDecompressSync(bytes, options);
    else if (encoding === ENCODING.gzip) whole = gunzipSync(bytes, options);
    else throw new FabricError("unimplemented", `encoding ${encoding} is not known`);
  } catch (thrown) {
    throw FabricError.from(thrown, "invalid_argument");
  }
  if (whole.length !== sizeBytes)
    throw new FabricError("invalid_argument", "a batch is not as large as it says");
  return whole;
}
