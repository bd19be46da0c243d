// SPDX-License-Identifier: Apache-2.0
// Who does not have the key can neither make a datagram nor change one.
import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import { MAC_AT, MAC_BYTES, type Protocol } from "./envelope.ts";

export interface Sealer {
  /** Writes the HMAC into its place. */
  seal(bytes: Buffer): Buffer;
  /** Whether the HMAC is that of the bytes. They must have a whole header. */
  isSealed(bytes: Buffer): boolean;
}

/** Seals with a key that is made of the hosts' common secret: the same secret makes other HMACs for each protocol. */
export function createSealer(secret: Uint8Array, { purpose }: Protocol): Sealer {
  const key = createSecretKey(createHmac("sha256", secret).update(purpose).digest());
  const sign = (bytes: Buffer): Buffer =>
    createHmac("sha256", key)
      .update(bytes.subarray(0, MAC_AT))
      .update(bytes.subarray(MAC_AT + MAC_BYTES))
      .digest();
  return {
    seal(bytes) {
      sign(bytes).copy(bytes, MAC_AT);
      return bytes;
    },
    isSealed: (bytes) => timingSafeEqual(sign(bytes), bytes.subarray(MAC_AT, MAC_AT + MAC_BYTES)),
  };
}
