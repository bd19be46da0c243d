// SPDX-License-Identifier: Apache-2.0
// Heads: the newest line of the log, signed by the node, so that a cut tail or an older copy can be told.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { FairleadError } from "#base/errors.ts";
import type { AuditHead } from "./audit.ts";
import { auditErrors } from "./errors.ts";

/** The key of a node with which it signs heads. */
export interface HeadKey {
  readonly publicKey: string;
  sign(head: Omit<AuditHead, "publicKey" | "signature">): AuditHead;
}

function toMessage({ node, seq, hash, atMs, publicKey }: Omit<AuditHead, "signature">): Buffer {
  return Buffer.from(JSON.stringify(["fairlead audit head 1", node, seq, hash, atMs, publicKey]));
}

function readPem(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new FairleadError(auditErrors["audit-key"], `cannot read ${path}`, { cause });
  }
}

function makePem(path: string): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = String(privateKey.export({ type: "pkcs8", format: "pem" }));
  writeFileSync(path, pem, { mode: 0o600, flag: "wx" });
  return pem;
}

/** Reads the key, or makes it on first use: readable by this user only. Throws FL1602 `audit-key`. */
export function openHeadKey(path: string): HeadKey {
  const pem = readPem(path) ?? makePem(path);
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new FairleadError(auditErrors["audit-key"], `there is no key in ${path}`, { cause });
  }
  const publicKey = createPublicKey(key).export({ format: "jwk" }).x ?? "";
  return {
    publicKey,
    sign(head) {
      const whole = { ...head, publicKey };
      return { ...whole, signature: sign(null, toMessage(whole), key).toString("base64url") };
    },
  };
}

/** Whether the head was signed with the key that it names. */
export function isSigned(head: AuditHead): boolean {
  try {
    const key = createPublicKey({
      key: { kty: "OKP", crv: "Ed25519", x: head.publicKey },
      format: "jwk",
    });
    return verify(null, toMessage(head), key, Buffer.from(head.signature, "base64url"));
  } catch {
    return false;
  }
}
