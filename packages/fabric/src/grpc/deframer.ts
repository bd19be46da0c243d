// SPDX-License-Identifier: Apache-2.0
// Length-prefixed messages of gRPC (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md) out of a byte stream.
import { FabricError } from "@fairlead/fabric/errors.ts";

const PREFIX_BYTES = 5;
const NONE = Buffer.alloc(0);

/** Cuts chunks into messages. A message that lies in one chunk is a view of it; others are copied once. */
export class Deframer {
  readonly #messageBytesMax: number;
  readonly #onMessage: (message: Buffer, compressed: boolean) => void;
  /** Bytes of a prefix that is not whole yet. */
  #rest: Buffer = NONE;
  #message: Buffer | undefined;
  #filledBytes = 0;
  #compressed = false;

  constructor(messageBytesMax: number, onMessage: (message: Buffer, compressed: boolean) => void) {
    this.#messageBytesMax = messageBytesMax;
    this.#onMessage = onMessage;
  }

  /** True when no message has begun. */
  get idle(): boolean {
    return this.#message === undefined && this.#rest.length === 0;
  }

  /** Takes a chunk. Throws `resource_exhausted` for a message above the limit, before its bytes are kept. */
  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#message !== undefined) {
      const used = this.#fill(this.#message, bytes);
      if (used === bytes.length) return;
      bytes = bytes.subarray(used);
    } else if (this.#rest.length > 0) {
      bytes = Buffer.concat([this.#rest, bytes]);
      this.#rest = NONE;
    }
    let position = 0;
    while (bytes.length - position >= PREFIX_BYTES) {
      const compressed = bytes[position] === 1;
      if (!compressed && bytes[position] !== 0)
        throw new FabricError("internal", "the flags of a gRPC message are not known");
      const length = bytes.readUInt32BE(position + 1);
      if (length > this.#messageBytesMax) {
        throw new FabricError(
          "resource_exhausted",
          `a message of ${length} bytes is above the limit of ${this.#messageBytesMax}`,
          { reason: "too-large" },
        );
      }
      position += PREFIX_BYTES;
      if (bytes.length - position < length) {
        this.#compressed = compressed;
        this.#message = Buffer.allocUnsafe(length);
        this.#filledBytes = 0;
        this.#fill(this.#message, bytes.subarray(position));
        return;
      }
      this.#onMessage(bytes.subarray(position, position + length), compressed);
      position += length;
    }
    if (position < bytes.length) this.#rest = Buffer.from(bytes.subarray(position));
  }

  #fill(message: Buffer, bytes: Buffer): number {
    const used = Math.min(bytes.length, message.length - this.#filledBytes);
    bytes.copy(message, this.#filledBytes, 0, used);
    this.#filledBytes += used;
    if (this.#filledBytes === message.length) {
      this.#message = undefined;
      this.#onMessage(message, this.#compressed);
    }
    return used;
  }
}

/** Writes the prefix of a message into the first five bytes of `target`. */
export function writePrefix(target: Uint8Array, sizeBytes: number, compressed = false): void {
  target[0] = compressed ? 1 : 0;
  target[1] = sizeBytes >>> 24;
  target[2] = (sizeBytes >>> 16) & 0xff;
  target[3] = (sizeBytes >>> 8) & 0xff;
  target[4] = sizeBytes & 0xff;
}
