// SPDX-License-Identifier: Apache-2.0
// For tests: hubs of two nodes of a fleet, linked.
import type { HubOptions } from "@fairlead/fabric/hub.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import { createMemoryTransports } from "@fairlead/fabric/memory-transport.ts";
import type { NodeMethod } from "@fairlead/fabric/node-door.ts";
import { createNodeLinks, type NodeLinks } from "@fairlead/fabric/node-links.ts";
import { createRegistry, type Registry } from "@fairlead/fabric/registry.ts";

/** What a hub is made of that has links to others. */
export interface LinkedParts {
  readonly nodes: NodeLinks;
  readonly directory: Registry;
  readonly hub: Pick<HubOptions, "node" | "registry" | "directory" | "links" | "linkTo">;
}

/** The parts of a node of that name, without any link yet; `methods` are what it does for others besides. */
export function createLinkedParts(
  name: string,
  methods?: ReadonlyMap<string, NodeMethod>,
): LinkedParts {
  const registry = createRegistry();
  const directory = createRegistry();
  const links = new Map<string, Link>();
  registry.watch((change) => {
    if (change.type === "gone") directory.remove(change.agent.id, change.reason);
    else directory.put(change.agent);
  });
  const node = { id: name, name };
  const nodes = createNodeLinks({
    self: node,
    own: registry,
    directory,
    joined: links,
    ...(methods === undefined ? {} : { methods }),
  });
  nodes.setReach(() => true);
  return {
    nodes,
    directory,
    hub: { node, registry, directory, links, linkTo: (other) => nodes.named(other) },
  };
}

/** Links two; resolves once both may use it. Names are ids. */
export async function linkParts(one: LinkedParts, other: LinkedParts): Promise<void> {
  const [near, far] = createMemoryTransports();
  await Promise.all([
    other.nodes.take(far, one.hub.node, { dialled: false }),
    one.nodes.take(near, other.hub.node, { dialled: true }),
  ]);
}
