// SPDX-License-Identifier: Apache-2.0
// Ed25519: a signature says who made it, and nobody who can check it can make it.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";

/** Signs words with a key of its own. */
export interface Signer {
  /** The key with which others check, 32 bytes as base64url. */
  readonly publicKey: string;
  /** The signature of these words, base64url. */
  sign(words: readonly string[]): string;
}

/** What comes before the 32 bytes of an Ed25519 key in PKCS #8. */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

function createKey(secret: string | undefined): KeyObject {
  if (secret === undefined) return generateKeyPairSync("ed25519").privateKey;
  const seed = createHash("sha256").update(secret).digest();
  return createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" });
}

/** Makes a signer: of a new key, or always of the same one for a secret. */
export function createSigner(secret?: string): Signer {
  const key = createKey(secret);
  const { x = "" } = createPublicKey(key).export({ format: "jwk" });
  return {
    publicKey: x,
    sign: (words) => sign(null, Buffer.from(JSON.stringify(words)), key).toString("base64url"),
  };
}

/** Whether the holder of this public key has signed the words. */
export function isSigned(publicKey: string, words: readonly string[], signature: string): boolean {
  try {
    const key = createPublicKey({
      key: { kty: "OKP", crv: "Ed25519", x: publicKey },
      format: "jwk",
    });
    const bytes = Buffer.from(JSON.stringify(words));
    return verify(null, bytes, key, Buffer.from(signature, "base64url"));
  } catch {
    // What is no key has signed nothing.
    return false;
  }
}
