// SPDX-License-Identifier: Apache-2.0
// From where services are called on this host, and which instances each caller reaches. Pure.
import type { InstanceView } from "@fairlead/protocol/views.ts";
import type { BalancedService, BalanceSpace, BalanceTarget } from "#balance/balancer.ts";
import { isIpv4, isIpv6 } from "#base/addresses.ts";
import type { FleetPicture } from "#brain/fleet/picture.ts";
import { createWideCheck } from "#control/wide-networks.ts";
import type { Facts, InstanceFact } from "#model/facts.ts";
import type { AddressEntry } from "./address-shelf.ts";

/** An instance that takes new connections. */
interface Candidate {
  readonly id: string;
  readonly isHere: boolean;
  /** Whether its node is known to live. */
  readonly isSure: boolean;
  /** Its addresses by the names of networks. */
  readonly networks: ReadonlyMap<string, readonly string[]>;
}

export interface SpaceFacts {
  readonly facts: Pick<Facts, "instances" | "networks">;
  /** By `SCOPE/SERVICE`. */
  readonly addresses: ReadonlyMap<string, AddressEntry>;
  /** Scopes that this node manages: their containers are given rules. */
  readonly managed: ReadonlySet<string>;
  /** Whether an instance, of any host, is about to be stopped. */
  isLeaving(id: string): boolean;
  /** The fleet, and which node of it this is; undefined for a node by itself. */
  readonly fleet: { readonly picture: FleetPicture; readonly self: string } | undefined;
}

const isWell = ({
  state,
  health,
}: {
  readonly state: string;
  readonly health: InstanceFact["health"];
}): boolean => state === "running" && (health === "none" || health === "healthy");

function listHere({ facts, isLeaving }: SpaceFacts): Map<string, Candidate[]> {
  const found = new Map<string, Candidate[]>();
  for (const instance of facts.instances) {
    const { id, scope, service, oneoff, endpoints = {} } = instance;
    if (!isWell(instance) || oneoff || isLeaving(id)) continue;
    const networks = new Map(
      Object.entries(endpoints).map(([name, { addresses }]) => [name, addresses]),
    );
    const key = `${scope}/${service}`;
    const candidate = { id, isHere: true, isSure: true, networks };
    found.set(key, [...(found.get(key) ?? []), candidate]);
  }
  return found;
}

function readNetworks(
  { addresses, addresses6 = {} }: InstanceView,
  isWide: (network: string) => boolean,
): ReadonlyMap<string, readonly string[]> {
  const names = [...new Set([...Object.keys(addresses), ...Object.keys(addresses6)])];
  return new Map(
    names
      .filter(isWide)
      .map((name) => [name, [addresses[name] ?? "", addresses6[name] ?? ""].filter(Boolean)]),
  );
}

function listElsewhere({ fleet, facts, isLeaving }: SpaceFacts, key: string): readonly Candidate[] {
  const at = key.indexOf("/");
  const [scope, name] = [key.slice(0, at), key.slice(at + 1)];
  const isWide = createWideCheck(facts.networks);
  const reports = fleet?.picture.scopes.get(scope)?.reports;
  return [...(reports ?? [])].flatMap(([node, { view }]) => {
    if (node === fleet?.self) return [];
    const isSure = fleet?.picture.nodes.get(node)?.standing === "up";
    const service = view?.services.find((one) => one.name === name);
    return (service?.instances ?? [])
      .filter((one) => isWell(one) && one.leaving !== true && !isLeaving(one.id))
      .map((instance) => ({
        id: instance.id,
        isHere: false,
        isSure,
        networks: readNetworks(instance, isWide),
      }));
  });
}

/** Those on nodes that may be lost get none while there are others; those of this host alone, where that is asked. */
function prefer(candidates: readonly Candidate[], { local }: AddressEntry): readonly Candidate[] {
  const sure = candidates.filter(({ isSure }) => isSure);
  const able = sure.length === 0 ? candidates : sure;
  const here = able.filter(({ isHere }) => isHere);
  return local && here.length > 0 ? here : able;
}

/** An instance as somebody on these networks reaches it: by the first that both are on. */
function reach(candidate: Candidate, networks: readonly string[]): BalanceTarget | undefined {
  const all = networks.flatMap((name) => candidate.networks.get(name) ?? []);
  const addresses = [all.find(isIpv4), all.find(isIpv6)].filter((one) => one !== undefined);
  return addresses.length === 0 ? undefined : { id: candidate.id, addresses };
}

const first = (texts: readonly string[], is: (text: string) => boolean): readonly string[] =>
  texts.filter(is).slice(0, 1);

/** Every namespace of this host from which services are called, with what each address means there. */
export function listSpaces(input: SpaceFacts): readonly BalanceSpace[] {
  const { facts, addresses, managed } = input;
  if (addresses.size === 0) return [];
  const here = listHere(input);
  const services = [...addresses].map(([key, entry]) => ({
    key,
    entry,
    candidates: [...(here.get(key) ?? []), ...listElsewhere(input, key)],
  }));
  function serve(networks: readonly string[], isHost: boolean): readonly BalancedService[] {
    return services.map(({ key, entry, candidates }) => {
      // The host is on its own bridges; on networks that span hosts the others do not know its address.
      const near = isHost ? candidates.filter(({ isHere }) => isHere) : candidates;
      const reachable = near.filter((one) => reach(one, networks) !== undefined);
      const targets = prefer(reachable, entry).flatMap((one) => reach(one, networks) ?? []);
      return { key, addresses: entry.addresses, targets, sticky: entry.sticky };
    });
  }
  const names = facts.networks.map(({ name }) => name).toSorted();
  const host: BalanceSpace = { id: "host", own: [], services: serve(names, true) };
  const containers = facts.instances.flatMap((instance): BalanceSpace[] => {
    const { id, pid, state, scope, networkFrom, endpoints = {} } = instance;
    const isCaller =
      state === "running" && networkFrom === undefined && managed.has(scope) && pid !== undefined;
    const networks = Object.keys(endpoints).toSorted();
    const own = networks.flatMap((name) => endpoints[name]?.addresses ?? []);
    if (!isCaller || own.length === 0) return [];
    // The kernel's first address of each family, so that a caller is the same whichever network it uses.
    const ordered = [...first(own, isIpv4), ...first(own, isIpv6)];
    return [{ id, pid, own: ordered, services: serve(networks, false) }];
  });
  return [host, ...containers];
}
