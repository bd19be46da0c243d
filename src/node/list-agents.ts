// SPDX-License-Identifier: Apache-2.0
// Agents as lists show them: those who joined here, those whom linked nodes tell of, and those that are only seen.
import type { AgentFilter } from "@fairlead/fabric/registry.ts";
import type { AgentView } from "@fairlead/protocol/views.ts";
import type { Fabric } from "#fabric/fabric.ts";
import type { RunningDiscovery } from "./start-discovery.ts";

/** The fabric with everybody; who is known in several ways is listed once. */
export function withNeighbours(
  fabric: Fabric,
  discovery: Pick<RunningDiscovery, "list">,
): { list(filter?: AgentFilter): readonly AgentView[] } {
  return {
    list(filter) {
      const linked = fabric.everyone.list(filter).map((record): AgentView => {
        const isOwn = fabric.registry.get(record.id) !== undefined;
        return isOwn ? record : { ...record, source: "link" };
      });
      const known = new Set(linked.map(({ id }) => id));
      return [...linked, ...discovery.list(filter).filter(({ id }) => !known.has(id))];
    },
  };
}
