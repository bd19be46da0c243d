// SPDX-License-Identifier: Apache-2.0
// A network that spans hosts, as people see it.
import type { NetworkHost, NetworkShortcut, NetworkView } from "@fairlead/protocol/network.ts";
import { countOverhead, familyOf } from "#network/measure-path.ts";
import { nameBridge, nameDevice } from "#network/plan-overlay.ts";
import type { TunnelKey } from "#network/tunnel-keys.ts";
import type { TunnelFact } from "#network/tunnel.ts";
import {
  judgeEndpoints,
  type OverlayEntries,
  type OverlayPaths,
  type TunnelEntry,
} from "./overlay-entries.ts";

export interface OverlaySight {
  readonly name: string;
  /** Id of this node. */
  readonly self: string;
  /** Whether this host takes part. */
  readonly isHere: boolean;
  readonly problem: string | undefined;
  /** How packets of a bridge go on this host. */
  readonly shortcut: (bridge: string) => NetworkShortcut;
  /** Keys of hosts, by their nodes' ids. */
  readonly keys: ReadonlyMap<string, TunnelEntry>;
  /** This host's device that encrypts, and its key. */
  readonly fact: TunnelFact | undefined;
  readonly key: TunnelKey | undefined;
}

/** How packets to a host are encrypted; undefined where that has no key. */
function showTunnel(node: string, { self, keys, fact, key }: OverlaySight): NetworkHost["tunnel"] {
  if (node === self)
    return key === undefined ? undefined : { ...key, silent: false, way: fact?.way ?? "none" };
  const entry = keys.get(node);
  if (entry === undefined) return undefined;
  const { publicKey, madeAtMs } = entry;
  const peer = fact?.peers.find((one) => one.publicKey === publicKey);
  const { handshakeAtMs, sentBytes = 0 } = peer ?? {};
  // Who was asked for a key and has never answered.
  const silent = handshakeAtMs === undefined && sentBytes > 0;
  const agreed = handshakeAtMs === undefined ? {} : { agreedAtMs: handshakeAtMs };
  return { publicKey, madeAtMs, silent, ...agreed };
}

function showHost(
  node: string,
  sight: OverlaySight,
  entries: OverlayEntries,
  nameNode: (id: string) => string | undefined,
): NetworkHost {
  const instances = [...entries.endpoints]
    .filter(([key]) => key.startsWith(`${node}/`))
    .map(([, { mac, addresses }]) => ({ mac, addresses: [...addresses] }));
  const tunnel = entries.definition?.encrypted === true ? showTunnel(node, sight) : undefined;
  return {
    node,
    name: nameNode(node) ?? node,
    self: node === sight.self,
    ranges: [...(entries.ranges.get(node)?.blocks ?? [])],
    instances,
    ...(tunnel === undefined ? {} : { tunnel }),
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
  const needed = definition.mtu + countOverhead(familyOf(first.host), definition.encrypted);
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
  const bridge = nameBridge(vni);
  const hosts = [...ranges.keys()].map((node) => showHost(node, sight, entries, nameNode));
  const { refused } = judgeEndpoints(entries);
  const here = isHere ? { device: nameDevice(vni), bridge, shortcut: sight.shortcut(bridge) } : {};
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
