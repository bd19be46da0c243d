// SPDX-License-Identifier: Apache-2.0
// What people may ask of a fleet's identities.
import { X509Certificate } from "node:crypto";
import type { IdentityView } from "@fairlead/protocol/identity.ts";
import { FairleadError } from "#base/errors.ts";
import type { Fleet } from "#control/fleet.ts";
import { NODE_CERTIFICATES, readFleetKey } from "#control/roll-entries.ts";
import { identityErrors } from "#identity/errors.ts";
import type { Store } from "#store/store.ts";
import {
  AUTHORITIES,
  IDENTITY,
  listBelieved,
  readAuthorities,
  turnAuthority,
  untilWhen,
  type KnownAuthority,
} from "./authorities.ts";
import { NodeCertificate } from "./known-nodes.ts";
import type { OwnAuthority } from "./own-authority.ts";
import type { HeldIdentity } from "./places.ts";

/** Certificates of containers, by scope and name. */
export function listHeld(held: readonly HeldIdentity[], nowMs: number): readonly IdentityView[] {
  const views = held.map(({ instance, credential }): IdentityView => {
    const { uri, serial, notAfterMs } = credential;
    const { name, scope } = instance;
    const state = notAfterMs > nowMs ? "valid" : "expired";
    return { kind: "instance", uri, state, serial, notAfterMs, instance: name, scope };
  });
  const order = ({ scope = "", instance = "" }: IdentityView): string => `${scope}/${instance}`;
  return views.sort((a, b) => order(a).localeCompare(order(b)));
}

function viewAuthorities(
  authorities: readonly KnownAuthority[],
  trustDomain: string,
): readonly IdentityView[] {
  return authorities.map((one, index): IdentityView => {
    const certificate = new X509Certificate(one.certificate);
    return {
      kind: "authority",
      uri: `spiffe://${trustDomain}`,
      state: index === 0 ? "signs" : "believed",
      serial: certificate.serialNumber.toLowerCase(),
      notAfterMs: Math.min(certificate.validToDate.getTime(), untilWhen(authorities[index - 1])),
      madeBy: one.madeBy,
    };
  });
}

/** The authorities of a node by itself; none before the first was needed. */
export function listOwnAuthorities(own: OwnAuthority): readonly IdentityView[] {
  return viewAuthorities(own.list(), own.issuer.trustDomain);
}

/** Roots of the authorities that nodes have in files. */
function viewGiven(
  entries: readonly { readonly key: string; readonly value: unknown }[],
  trustDomain: string,
): readonly IdentityView[] {
  const owners = new Map<string, string[]>();
  for (const { key, value } of entries) {
    const read = key.startsWith(NODE_CERTIFICATES) ? NodeCertificate.safeParse(value) : undefined;
    for (const root of read?.data?.roots ?? [])
      owners.set(root, [...(owners.get(root) ?? []), read?.data?.name ?? ""]);
  }
  return [...owners].map(([root, names]): IdentityView => {
    const { serialNumber, validToDate } = new X509Certificate(root);
    return {
      kind: "authority",
      uri: `spiffe://${trustDomain}`,
      state: "believed",
      serial: serialNumber.toLowerCase(),
      notAfterMs: validToDate.getTime(),
      madeBy: `files of ${names.toSorted().join(", ")}`,
    };
  });
}

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
  const given = viewGiven(entries, fleet.name);
  const nodes = entries.flatMap(({ key, value }): IdentityView[] => {
    const read = key.startsWith(NODE_CERTIFICATES) ? NodeCertificate.safeParse(value) : undefined;
    if (read?.data === undefined) return [];
    const { uri, serial, notAfterMs } = read.data;
    const state = notAfterMs > nowMs ? "valid" : "expired";
    return [{ kind: "node", uri, state, serial, notAfterMs }];
  });
  nodes.sort((a, b) => a.uri.localeCompare(b.uri));
  return [...viewAuthorities(authorities, fleet.name), ...given, ...nodes];
}

/** Lets the next authority sign; every node takes a certificate of it within seconds. Throws FL2003 where there is none to change. */
export async function turnFleetAuthority(
  store: Store,
  fleet: Pick<Fleet, "name" | "makeKey">,
  { nowMs, by }: { readonly nowMs: number; readonly by: string },
): Promise<void> {
  const fleetKey = await readFleetKey(store, fleet.makeKey);
  if ((await store.get(AUTHORITIES)) === undefined)
    throw new FairleadError(
      identityErrors["authority-given"],
      `every node of ${fleet.name} has its authority in files`,
    );
  await turnAuthority(store, { fleetKey, trustDomain: fleet.name, nowMs, by });
}

/** Believes the certificate of a node no more; when it is there it takes another, on a new key. */
export async function revokeNode(store: Store, id: string): Promise<void> {
  await store.transact([{ kind: "delete", key: NODE_CERTIFICATES + id }]);
}
