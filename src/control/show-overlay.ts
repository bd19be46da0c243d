// SPDX-License-Identifier: Apache-2.0
// A network that spans hosts, as people see it.
import type { NetworkHost, NetworkView } from "@fairlead/protocol/network.ts";
import { familyOf, OVERHEAD_BYTES } from "#network/measure-path.ts";
import { nameBridge, nameDevice } from "#network/plan-overlay.ts";
import { judgeEndpoints, type OverlayEntries, type OverlayPaths } from "./overlay-entries.ts";

export interface OverlaySight {
  readonly name: string;
  /** Id of this node. */
  readonly self: string;
  /** Whether this host takes part. */
  readonly isHere: boolean;
  readonly problem: string | undefined;
}

function showHost(
  node: string,
  { self }: OverlaySight,
  entries: OverlayEntries,
  nameNode: (id: string) => string | undefined,
): NetworkHost {
  const instances = [...entries.endpoints]
    .filter(([key]) => key.startsWith(`${node}/`))
    .map(([, { mac, addresses }]) => ({ mac, addresses: [...addresses] }));
  return {
    node,
    name: nameNode(node) ?? node,
    self: node === self,
    ranges: [...(entries.ranges.get(node)?.blocks ?? [])],
    instances,
  };
}

/** Two hosts of a network between which its largest packets do not pass, as a sentence; the first by name. */
export function findTightPath(
  { definition, ranges, endpoints }: OverlayEntries,
  paths: ReadonlyMap<string, OverlayPaths>,
  nameNode: (id: string) => string | undefined,
): string | undefined {
  const [first] = endpoints.values();
  if (definition === undefined || first === undefined) return undefined;
  const needed = definition.mtu + OVERHEAD_BYTES[familyOf(first.host)];
  const tight = [...ranges.keys()].flatMap((from) =>
    Object.entries(paths.get(from) ?? {})
      .filter(([to, mtu]) => ranges.has(to) && mtu < needed)
      .map(([to, mtu]) => {
        const [a, b] = [nameNode(from) ?? from, nameNode(to) ?? to];
        return `from ${a} to ${b} packets of ${mtu} bytes pass, and the network needs ${needed}`;
      }),
  );
  return tight.toSorted()[0];
}

/** The view of one network; undefined for one of which only entries are left. */
export function showOverlay(
  sight: OverlaySight,
  entries: OverlayEntries,
  nameNode: (id: string) => string | undefined,
): NetworkView | undefined {
  const { definition, ranges } = entries;
  if (definition === undefined) return undefined;
  const { name, isHere, problem } = sight;
  const { vni } = definition;
  const hosts = [...ranges.keys()].map((node) => showHost(node, sight, entries, nameNode));
  const { refused } = judgeEndpoints(entries);
  const here = isHere ? { device: nameDevice(vni), bridge: nameBridge(vni) } : {};
  return {
    name,
    ...definition,
    subnets: [...definition.subnets],
    state: !isHere ? "elsewhere" : problem === undefined ? "joined" : "broken",
    ...(isHere && problem !== undefined ? { problem } : {}),
    ...here,
    hosts: hosts.toSorted((a, b) => Number(b.self) - Number(a.self) || (a.name < b.name ? -1 : 1)),
    refused: refused.map(({ endpoint, why }) => ({
      ...endpoint,
      addresses: [...endpoint.addresses],
      why,
    })),
  };
}
