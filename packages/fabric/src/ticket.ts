// SPDX-License-Identifier: Apache-2.0
// Proof that a peer joined the same scope: an HMAC over who it says it is, with a key that the node gives to those who join.
// It keeps strangers out; who is who among those who joined is what certificates are for.
import { createHmac, timingSafeEqual } from "node:crypto";
import { FabricError } from "./errors.ts";
import type { Hello } from "./frame.ts";

/** The ticket of an agent for its peers. */
export function issueTicket(key: string, who: { id: string; name: string; scope: string }): string {
  return createHmac("sha256", key)
    .update(JSON.stringify([who.scope, who.name, who.id]))
    .digest("base64url");
}

/** Throws `unauthenticated` when the ticket of a Hello was not issued with this key. */
export function checkTicket(key: string, hello: Hello): void {
  const wanted = Buffer.from(issueTicket(key, hello));
  const shown = Buffer.from(hello.ticket);
  if (wanted.length === shown.length && timingSafeEqual(wanted, shown)) return;
  throw new FabricError(
    "unauthenticated",
    `${hello.scope}/${hello.name} shows no ticket of this scope`,
    { reason: "ticket" },
  );
}
