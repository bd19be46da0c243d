// SPDX-License-Identifier: Apache-2.0
// Who has the fleet's key proves it in the handshake: TLS 1.3 with a pre-shared key and fresh ECDHE, so that what was recorded
// stays secret when the key is known later. No certificates: neither side has any, and one that is shown is refused.
import { hkdfSync } from "node:crypto";
import type { ConnectionOptions, TlsOptions, TLSSocket } from "node:tls";
import { FairleadError } from "#base/errors.ts";
import { peeringErrors } from "./errors.ts";

const PURPOSE = "fairlead peering 1";
const KEY_BYTES = 32;
const ID = /^[\w.-]{1,63}$/;
/** The pre-shared keys of OpenSSL's older callback, which Node has, go with SHA-256 only. */
const PROTOCOL = {
  minVersion: "TLSv1.3",
  maxVersion: "TLSv1.3",
  ciphers: "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256",
} as const;

/**
 * A key of its own for each direction of each pair: a handshake that somebody sends back to its sender, or on to a third
 * node, is no handshake there.
 */
function deriveKey(secret: Uint8Array, from: string, to: string): Buffer {
  const info = `${PURPOSE}\n${from}\n${to}`;
  return Buffer.from(hkdfSync("sha256", secret, Buffer.alloc(0), info, KEY_BYTES));
}

/** The side that listens. `onPeer` is told who says to be there, before it has proven to have the key. */
export function makeServerTls(
  secret: Uint8Array,
  self: string,
  onPeer: (socket: TLSSocket, id: string) => void,
): TlsOptions {
  return {
    ...PROTOCOL,
    pskCallback(socket, identity) {
      if (!ID.test(identity)) return null;
      onPeer(socket, identity);
      return deriveKey(secret, identity, self);
    },
  };
}

/** The side that connects. */
export function makeClientTls(secret: Uint8Array, self: string, to: string): ConnectionOptions {
  return {
    ...PROTOCOL,
    pskCallback: () => ({ psk: deriveKey(secret, self, to), identity: self }),
    // Asked only when the other side chose a certificate instead of the key.
    checkServerIdentity: () =>
      new FairleadError(peeringErrors["peer-untrusted"], "the other side shows a certificate"),
  };
}
