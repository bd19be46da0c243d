// SPDX-License-Identifier: Apache-2.0
// What one rule grants to whom it means.
import type { PolicyPeer, PolicyRule } from "#model/policy.ts";
import { ANYWHERE, cutBlock, readAddress, type Grant, type Span } from "./build-table.ts";
import { textOfPorts, type Peer } from "./index-world.ts";
import { resolvePorts, usesNames, type PortSet } from "./port-sets.ts";

const DNS: PortSet = (["TCP", "UDP"] as const).map((protocol) => ({
  protocol,
  first: 53,
  last: 53,
}));

function listAddresses(peers: readonly Peer[] = []): readonly string[] {
  return peers.flatMap(({ addresses }) => addresses);
}

function grantDns(resolvers: readonly Peer[] | undefined): Grant {
  return { hosts: listAddresses(resolvers), ports: DNS };
}

function isInSpans(spans: readonly Span[], address: string): boolean {
  if (spans === ANYWHERE) return true;
  const parsed = readAddress(address);
  return spans.some(
    ({ family, first, last }) =>
      family === parsed?.family && first <= parsed.value && parsed.value <= last,
  );
}

/** Peers that name their ports alike. */
interface Alike {
  readonly ports: Peer["ports"];
  readonly hosts: readonly string[];
}

/** Many rules are about the same list. */
const groups = new WeakMap<readonly Peer[], readonly Alike[]>();

function groupByNames(peers: readonly Peer[]): readonly Alike[] {
  const known = groups.get(peers);
  if (known !== undefined) return known;
  const made = [...Map.groupBy(peers, textOfPorts).values()].map((alike): Alike => ({
    ports: alike[0]?.ports ?? [],
    hosts: listAddresses(alike),
  }));
  groups.set(peers, made);
  return made;
}

/** A rule to peers whose own names its ports have. */
function grantByName(
  { ports }: PolicyRule,
  peer: PolicyPeer | undefined,
  meant: readonly Peer[],
): readonly Grant[] {
  const isRange = peer === undefined || peer.kind === "block";
  const spans = peer?.kind === "block" ? cutBlock(peer.block, peer.except) : ANYWHERE;
  const numbered = resolvePorts(ports, []);
  return [
    ...(isRange ? [{ ranges: spans, ports: numbered }] : []),
    ...groupByNames(meant).map((alike) => ({
      hosts: isRange ? alike.hosts.filter((one) => isInSpans(spans, one)) : alike.hosts,
      ports: resolvePorts(ports, alike.ports),
    })),
  ];
}

/**
 * What a rule allows to the peers it means, one list for each `rule.peers`; for a rule without any, one list of everybody
 * where names have to be looked up. `called` is who is called where that is the instance itself.
 */
export function listGrants(
  rule: PolicyRule,
  meant: readonly (readonly Peer[])[],
  called: Peer | undefined,
): readonly Grant[] {
  if (called === undefined && usesNames(rule.ports)) {
    if (rule.peers.length === 0) return grantByName(rule, undefined, meant[0] ?? []);
    return rule.peers.flatMap((peer, at) =>
      peer.kind === "names" ? grantDns(meant[at]) : grantByName(rule, peer, meant[at] ?? []),
    );
  }
  const ports = resolvePorts(rule.ports, called?.ports ?? []);
  if (rule.peers.length === 0) return [{ ranges: ANYWHERE, ports }];
  return rule.peers.map((peer, at) => {
    if (peer.kind === "names") return grantDns(meant[at]);
    return peer.kind === "block"
      ? { ranges: cutBlock(peer.block, peer.except), ports }
      : { hosts: listAddresses(meant[at]), ports };
  });
}
