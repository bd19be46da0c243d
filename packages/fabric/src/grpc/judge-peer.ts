// SPDX-License-Identifier: Apache-2.0
// What the handshake does not ask of a peer's certificate.
import { TLSSocket } from "node:tls";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { readSpiffeId } from "@fairlead/protocol/spiffe.ts";
import { formatSerial, maySign } from "./der.ts";
import type { TlsMaterial } from "./tls-files.ts";

function refuse(why: string): FabricError {
  return new FabricError("permission_denied", why, { reason: "certificate" });
}

/** Why a peer is not to be believed though its authority signed for it; undefined for one that is, and without TLS. */
export function judgePeer(
  socket: unknown,
  { revoked }: Pick<TlsMaterial, "revoked">,
): FabricError | undefined {
  const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  if (shown === undefined) return undefined;
  // A session that goes on with an older handshake's keys brings that one's certificate.
  if (shown.validToDate.getTime() < Date.now()) return refuse("the certificate has run out");
  // Somebody with an id signs for nobody (X.509-SVID, 5.2). Without one an authority may show itself, as people do by hand.
  const isSomebody = readSpiffeId(shown.subjectAltName) !== undefined;
  if (isSomebody && (shown.ca || maySign(shown.raw)))
    return refuse("the certificate is that of an authority");
  const serial = formatSerial(shown.serialNumber);
  if (revoked?.has(serial) !== true) return undefined;
  return refuse(`the certificate ${serial} is believed no more`);
}
