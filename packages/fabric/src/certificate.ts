// SPDX-License-Identifier: Apache-2.0
// Who a peer's certificate says it is, held against who its Hello says it is.
import { parseSpiffeId } from "@fairlead/protocol/spiffe.ts";
import { FabricError } from "./errors.ts";

/** The path that the certificate of such a peer has: `/SCOPE/NAME`, and `/fairlead/node/NAME` for a node. */
function listSegments({ scope, name }: { readonly scope: string; readonly name: string }) {
  return scope === "" ? ["fairlead", "node", name] : [scope, name];
}

/**
 * Throws `permission_denied` when the peer proved to be somebody else than it says. A certificate without a SPIFFE id
 * proves only that its authority knows the peer.
 */
export function checkCertificate(
  peerId: string | undefined,
  hello: { readonly scope: string; readonly name: string },
): void {
  if (peerId === undefined) return;
  const wanted = listSegments(hello).join("/");
  if (parseSpiffeId(peerId)?.segments.join("/") === wanted) return;
  throw new FabricError(
    "permission_denied",
    `the certificate is of ${peerId}, and the peer says that it is ${hello.scope}/${hello.name}`,
    { reason: "certificate" },
  );
}
