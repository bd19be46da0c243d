// SPDX-License-Identifier: Apache-2.0
// How large headers may be. A frame beyond it ends the link that it comes over, so whoever sends looks first.
import { FabricError } from "./errors.ts";
import type { Headers } from "./frame.ts";
import { sizeVarint } from "./wire.ts";

/** Headers of one frame. */
export const HEADERS_MAX = 64;
/** Their bytes as they are encoded, names included. */
export const HEADERS_BYTES_MAX = 8_192;

function sizeField(text: string): number {
  const bytes = Buffer.byteLength(text, "utf8");
  return bytes === 0 ? 0 : 1 + sizeVarint(bytes) + bytes;
}

/** Bytes of headers as a frame carries them. */
export function sizeHeaders(headers: Headers): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) bytes += sizeField(name) + sizeField(value);
  return bytes;
}

/** Throws `invalid_argument`, reason `headers-too-large`, beyond so many headers or bytes. */
export function checkHeaders(
  headers: Headers | undefined,
  limits: { readonly countMax: number; readonly bytesMax: number } = {
    countMax: HEADERS_MAX,
    bytesMax: HEADERS_BYTES_MAX,
  },
): void {
  if (headers === undefined) return;
  const count = Object.keys(headers).length;
  const bytes = sizeHeaders(headers);
  if (count <= limits.countMax && bytes <= limits.bytesMax) return;
  throw new FabricError(
    "invalid_argument",
    `${count} headers of ${bytes} bytes are above the limit of ${limits.countMax} headers and ${limits.bytesMax} bytes`,
    { reason: "headers-too-large", facts: { count: String(count), size: String(bytes) } },
  );
}
