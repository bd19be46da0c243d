// SPDX-License-Identifier: Apache-2.0
// Mutual TLS 1.3. That a certificate is of an authority of the fleet and has not run out is checked in the handshake; which
// node it is, after it and before the first word is read or said.
import type { X509Certificate } from "node:crypto";
import type { ConnectionOptions, SecureContextOptions, TlsOptions, TLSSocket } from "node:tls";
import { FairleadError } from "#base/errors.ts";
import { peeringErrors } from "./errors.ts";
import type { PeerCredentials } from "./peering.ts";

const PROTOCOL = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" } as const;

/** What a new handshake uses. */
export function makeSecureContext(credentials: PeerCredentials): SecureContextOptions {
  const { authorities, certificate, key } = credentials.read();
  return { ...PROTOCOL, ca: [...authorities], cert: certificate, key };
}

/** The side that listens. */
export function makeServerTls(credentials: PeerCredentials): TlsOptions {
  return { ...makeSecureContext(credentials), requestCert: true, rejectUnauthorized: true };
}

/** The side that connects. Names are none of the handshake's business: a node is its id, not its address. */
export function makeClientTls(credentials: PeerCredentials): ConnectionOptions {
  return {
    ...makeSecureContext(credentials),
    rejectUnauthorized: true,
    checkServerIdentity: () => undefined,
  };
}

/** Connections whose other end is known, by socket. */
export interface KnownPeers {
  /** Id of the node at the other end. Throws FL1203 `peer-untrusted` with why it is none. */
  identify(socket: TLSSocket): Promise<string>;
  /** Cuts the connections of nodes that are believed no more. */
  expel(): void;
}

/** Begins without any. */
export function createKnownPeers(credentials: PeerCredentials): KnownPeers {
  const open = new Map<TLSSocket, X509Certificate>();

  function untrusted(reason: string, cause?: unknown): FairleadError {
    return new FairleadError(
      peeringErrors["peer-untrusted"],
      reason,
      cause === undefined ? {} : { cause },
    );
  }

  return {
    async identify(socket) {
      const known = open.get(socket);
      const shown = known ?? socket.getPeerX509Certificate();
      if (shown === undefined) throw untrusted("no certificate was shown");
      // A session that goes on with an older handshake's keys brings that one's certificate.
      if (shown.validToDate.getTime() < Date.now() && known === undefined)
        throw untrusted("the certificate has run out");
      try {
        const id = await credentials.identify(shown);
        if (known === undefined && !socket.destroyed) {
          open.set(socket, shown);
          socket.once("close", () => void open.delete(socket));
        }
        return id;
      } catch (thrown) {
        throw untrusted(FairleadError.from(thrown).message, thrown);
      }
    },
    expel() {
      for (const [socket, shown] of open) if (!credentials.isBelieved(shown)) socket.destroy();
    },
  };
}
