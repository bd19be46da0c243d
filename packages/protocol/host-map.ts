// SPDX-License-Identifier: Apache-2.0
// The fleet as a map: what runs on which host, and what lies between hosts. Made of what a node answers, for the CLI and
// the page alike. Pure.
import type { NetworkView, PathView } from "./network.ts";
import type { NodeView } from "./node.ts";
import type { InstanceView } from "./views.ts";

/** What a map is made of. */
export interface HostMapParts {
  readonly nodes: readonly NodeView[];
  /** As of `GET /v1/scopes`. */
  readonly scopes: readonly {
    readonly services: readonly { readonly instances: readonly InstanceView[] }[];
  }[];
  readonly networks: readonly NetworkView[];
  /** Of the node that was asked. */
  readonly paths: readonly PathView[];
  readonly agents: readonly {
    readonly name: string;
    readonly scope: string;
    readonly node?: string | undefined;
  }[];
}

/** An instance where it is. */
export type MappedInstance = Pick<
  InstanceView,
  "name" | "scope" | "service" | "slot" | "state" | "health"
>;

/** One host with what it has. */
export interface MappedHost extends Pick<
  NodeView,
  "name" | "self" | "state" | "reason" | "schedulable" | "draining"
> {
  readonly leader: boolean;
  /** By scope, service and slot. */
  readonly instances: readonly MappedInstance[];
  /** `SCOPE/NAME` of agents that joined there, sorted. */
  readonly agents: readonly string[];
}

/** What lies between two hosts. Without direction: `from` comes first on the map. */
export interface HostLink {
  readonly from: string;
  readonly to: string;
  /** There and back, milliseconds; only where the node that was asked is one of the two, and has measured it. */
  readonly rttMs?: number;
  /** The largest packet that arrives, bytes; as `rttMs`. */
  readonly mtu?: number;
  /** Larger ones vanish, and no router says so. */
  readonly blackHole: boolean;
  /** Networks that span both, sorted. */
  readonly networks: readonly string[];
}

/** Hosts, and what lies between them. */
export interface HostMap {
  /** The node that was asked first. */
  readonly hosts: readonly MappedHost[];
  /** Each pair of hosts once. */
  readonly links: readonly HostLink[];
}

const byPlace = (a: InstanceView, b: InstanceView): number =>
  a.scope.localeCompare(b.scope) || a.service.localeCompare(b.service) || a.slot - b.slot;

function mapHost(node: NodeView, parts: HostMapParts): MappedHost {
  const isHere = (at: string | undefined): boolean =>
    at === undefined ? node.self : at === node.name;
  const instances = parts.scopes
    .flatMap(({ services }) => services.flatMap((service) => service.instances))
    .filter((instance) => isHere(instance.node))
    .toSorted(byPlace);
  const agents = parts.agents.filter((agent) => isHere(agent.node));
  const { name, self, state, reason, schedulable, draining, leader = false } = node;
  return {
    name,
    self,
    state,
    reason,
    schedulable,
    draining,
    leader,
    instances: instances.map(({ name: own, scope, service, slot, state: word, health }) => ({
      name: own,
      scope,
      service,
      slot,
      state: word,
      health,
    })),
    agents: agents.map((agent) => `${agent.scope}/${agent.name}`).toSorted(),
  };
}

function linkHosts(from: NodeView, to: NodeView, { networks, paths }: HostMapParts): HostLink {
  const path = from.self ? paths.find(({ node }) => node === to.id) : undefined;
  const spanning = networks.filter(({ hosts }) => {
    const there = new Set(hosts.map(({ node }) => node));
    return there.has(from.id) && there.has(to.id);
  });
  return {
    from: from.name,
    to: to.name,
    ...(from.self && to.rttMs !== undefined ? { rttMs: to.rttMs } : {}),
    ...(path?.mtu === undefined ? {} : { mtu: path.mtu }),
    blackHole: path?.blackHole ?? false,
    networks: spanning.map(({ name }) => name).toSorted(),
  };
}

/** Makes the map. Instances of an unknown host are on none. */
export function mapHosts(parts: HostMapParts): HostMap {
  const { nodes } = parts;
  return {
    hosts: nodes.map((node) => mapHost(node, parts)),
    links: nodes.flatMap((from, at) => nodes.slice(at + 1).map((to) => linkHosts(from, to, parts))),
  };
}
