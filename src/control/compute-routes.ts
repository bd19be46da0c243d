// SPDX-License-Identifier: Apache-2.0
import type { Routes } from "@fairlead/protocol/fabric.ts";
import type { TopologyGraph } from "@fairlead/protocol/topology.ts";
import { createRouteTable } from "#topology/routes.ts";

/** Where each member may send: its links, and the next hop to the others where the topology passes messages on. */
export function computeRoutes(graph: TopologyGraph): ReadonlyMap<string, Routes> {
  const table = graph.relay ? createRouteTable(graph) : undefined;
  const out = new Map<string, string[]>(graph.members.map((name) => [name, []]));
  const incoming = new Map<string, string[]>(graph.members.map((name) => [name, []]));
  for (const { from, to } of graph.links) {
    out.get(from)?.push(to);
    incoming.get(to)?.push(from);
    if (graph.directed) continue;
    out.get(to)?.push(from);
    incoming.get(from)?.push(to);
  }
  return new Map(
    graph.members.map((name) => {
      const to = out.get(name) ?? [];
      const via: Record<string, string> = {};
      for (const other of table === undefined ? [] : graph.members) {
        const next = other === name || to.includes(other) ? undefined : table?.nextHop(name, other);
        if (next !== undefined) via[other] = next;
      }
      const { members, hopsMax } = graph;
      return [name, { to, from: incoming.get(name) ?? [], via, members, hopsMax }];
    }),
  );
}
