// SPDX-License-Identifier: Apache-2.0
// Who does not have the key can neither make a datagram nor change one.
import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import { MAC_AT, MAC_BYTES } from "./datagram.ts";

export interface Sealer {
  /** Writes the HMAC into its place. */
  seal(bytes: Buffer): Buffer;
  /** Whether the HMAC is that of the bytes. They must have a whole header. */
  isSealed(bytes: Buffer): boolean;
}

/** For this use alone: the same secret in another protocol makes other signatures. */
const PURPOSE = "fairlead multicast discovery 1";

/** Seals with a key that is made of the hosts' common secret. */
export function createSealer(secret: Uint8Array): Sealer {
  const key = createSecretKey(createHmac("sha256", secret).update(PURPOSE).digest());
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
