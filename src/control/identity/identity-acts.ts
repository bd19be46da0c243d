// SPDX-License-Identifier: Apache-2.0
// What people may ask of a fleet's identities.
import { X509Certificate } from "node:crypto";
import type { IdentityView } from "@fairlead/protocol/identity.ts";
import type { Fleet } from "#control/fleet.ts";
import { NODE_CERTIFICATES, readFleetKey } from "#control/roll-entries.ts";
import type { Store } from "#store/store.ts";
import {
  AUTHORITIES,
  IDENTITY,
  listBelieved,
  readAuthorities,
  turnAuthority,
  untilWhen,
} from "./authorities.ts";
import { NodeCertificate } from "./keep-identity.ts";

/** Authorities first, the one that signs before the others; then nodes by name. */
export async function listIdentities(
  store: Store,
  fleet: Pick<Fleet, "name" | "makeKey">,
  nowMs: number,
): Promise<readonly IdentityView[]> {
  const fleetKey = await readFleetKey(store, fleet.makeKey);
  const { entries } = await store.list(IDENTITY);
  const kept = entries.find(({ key }) => key === AUTHORITIES);
  const authorities =
    kept === undefined ? [] : listBelieved(readAuthorities(kept.value, fleetKey), nowMs);
  const views = authorities.map((one, index): IdentityView => {
    const certificate = new X509Certificate(one.certificate);
    return {
      kind: "authority",
      uri: `spiffe://${fleet.name}`,
      state: index === 0 ? "signs" : "believed",
      serial: certificate.serialNumber.toLowerCase(),
      notAfterMs: Math.min(certificate.validToDate.getTime(), untilWhen(authorities[index - 1])),
      madeBy: one.madeBy,
    };
  });
  const nodes = entries.flatMap(({ key, value }): IdentityView[] => {
    const read = key.startsWith(NODE_CERTIFICATES) ? NodeCertificate.safeParse(value) : undefined;
    if (read?.data === undefined) return [];
    const { uri, serial, notAfterMs } = read.data;
    const state = notAfterMs > nowMs ? "valid" : "expired";
    return [{ kind: "node", uri, state, serial, notAfterMs }];
  });
  nodes.sort((a, b) => a.uri.localeCompare(b.uri));
  return [...views, ...nodes];
}

/** Lets the next authority sign; every node takes a certificate of it within seconds. */
export async function turnFleetAuthority(
  store: Store,
  fleet: Pick<Fleet, "name" | "makeKey">,
  { nowMs, by }: { readonly nowMs: number; readonly by: string },
): Promise<void> {
  const fleetKey = await readFleetKey(store, fleet.makeKey);
  await turnAuthority(store, { fleetKey, trustDomain: fleet.name, nowMs, by });
}

/** Believes the certificate of a node no more; when it is there it takes another, on a new key. */
export async function revokeNode(store: Store, id: string): Promise<void> {
  await store.transact([{ kind: "delete", key: NODE_CERTIFICATES + id }]);
}
