// SPDX-License-Identifier: Apache-2.0
// A node whose answers are the test's, at the address of its own, with whatever certificate the test gives it.
import {
  AUTHORITIES,
  readAuthorities,
  type KnownAuthority,
} from "#control/identity/authorities.ts";
import { NodeCertificate } from "#control/identity/known-nodes.ts";
import { NODE_CERTIFICATES, readFleetKey } from "#control/roll-entries.ts";
import { issueCredential, makeKey, type Credential } from "#identity/authority.ts";
import { nodeUri, readNodeName } from "#identity/verify.ts";
import type { Peering } from "#peering/peering.ts";
import { startPeering } from "#peering/start-peering.ts";
import type { Store } from "#store/store.ts";

export interface PlayOptions {
  /** The fleet's part of the store. */
  readonly store: Store;
  readonly fleet: string;
  /** Where it answers. */
  readonly address: string;
}

/** The authority of a fleet that signs now, with its key. */
export async function readSigningAuthority(store: Store): Promise<KnownAuthority> {
  const fleetKey = await readFleetKey(store, () => "");
  const [newest] = readAuthorities((await store.get(AUTHORITIES))?.value, fleetKey);
  if (newest === undefined) throw new Error("a fleet has an authority");
  return newest;
}

/** Opens a peering with a certificate; it believes every node that the fleet's authorities sign for. */
export async function playNode(
  { store, fleet, address }: PlayOptions,
  credential: Pick<Credential, "certificate" | "key">,
): Promise<Peering> {
  const { certificate } = await readSigningAuthority(store);
  const { entries } = await store.list(NODE_CERTIFICATES);
  const ids = new Map(
    entries.map(({ key, value }) => [
      NodeCertificate.parse(value).name,
      key.slice(NODE_CERTIFICATES.length),
    ]),
  );
  return startPeering({
    address,
    port: 0,
    credentials: {
      read: () => ({ ...credential, authorities: [certificate] }),
      onChange: () => () => undefined,
      async identify(shown) {
        const name = readNodeName(shown, fleet);
        return ids.get(name) ?? name;
      },
      isBelieved: () => true,
    },
  });
}

/** The same as a node that the fleet knows: its id is its name, and its certificate stands in the store. */
export async function playMember(options: PlayOptions, name: string): Promise<Peering> {
  const { store, fleet } = options;
  const uri = nodeUri(fleet, name);
  const key = await makeKey();
  const authority = await readSigningAuthority(store);
  const credential = await issueCredential(authority, { uri, key, nowMs: Date.now() });
  const { serial, keyHash, notAfterMs } = credential;
  const value = { name, uri, serial, keyHash, notAfterMs };
  await store.transact([{ kind: "put", key: NODE_CERTIFICATES + name, value }]);
  return playNode(options, credential);
}
