// SPDX-License-Identifier: Apache-2.0

import { mapHosts, type HostMap } from "@fairlead/protocol/host-map.ts";
import type { NetworkView, PathView } from "@fairlead/protocol/network.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { ObservedLinks, TopologyView } from "@fairlead/protocol/topology.ts";
import type { AgentView, ScopeView } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findFabricScope } from "#cli/find-fabric-scope.ts";
import type { Envelope } from "#cli/output.ts";
import { renderHosts } from "#cli/render-hosts.ts";
import { renderDot } from "#topology/dot.ts";
import { renderMatrixCsv } from "#topology/matrix.ts";
import { graphObserved, renderMap, renderObserved } from "#topology/render-map.ts";

const NO_TOPOLOGY = "no-topology";

/** The topology of the scope; undefined when it has none. */
async function findTopology(context: Context, path: string): Promise<TopologyView | undefined> {
  try {
    return await context.api.call<TopologyView>("GET", `${path}/topology`);
  } catch (thrown) {
    if (FairleadError.from(thrown).kind.slug === NO_TOPOLOGY) return undefined;
    throw thrown;
  }
}

async function showObserved(context: Context, observed: ObservedLinks): Promise<void> {
  const { out, parsed } = context;
  if (parsed.has("csv")) out.line(renderMatrixCsv(graphObserved(observed)).trimEnd());
  else if (parsed.has("dot")) {
    out.line(renderDot(graphObserved(observed), observed.links).trimEnd());
  } else {
    await out.document(observed, {
      kind: "ObservedLinks",
      name: (item) => item.scope,
      text: (item) => renderObserved(item).trimEnd().split("\n"),
    });
  }
}

/** What runs on which host; what could not be asked is warned of. */
async function readHosts({ api, out }: Context, nodes: Envelope<NodeView>): Promise<HostMap> {
  const [scopes, networks, paths, agents] = await Promise.all([
    api.list<ScopeView>("scopes"),
    api.list<NetworkView>("networks"),
    api.list<PathView>("paths"),
    api.list<AgentView>("agents"),
  ]);
  const missing = [nodes, scopes, networks, paths, agents].flatMap((answer) => answer.missing);
  if (missing.length > 0) out.warn(`! partial: no answer from ${[...new Set(missing)].join(", ")}`);
  return mapHosts({
    nodes: nodes.items,
    scopes: scopes.items,
    networks: networks.items,
    paths: paths.items,
    agents: agents.items,
  });
}

async function showHosts({ out }: Context, map: HostMap): Promise<void> {
  await out.document(map, {
    kind: "HostMap",
    name: (item) => item.hosts.map(({ name }) => name).join(" "),
    text: (item, style) => renderHosts(item, style),
  });
}

/** `fairlead map` */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const isGraph = ["csv", "dot", "observed"].some((flag) => parsed.has(flag));
  if (!parsed.has("hosts") && (isGraph || !out.forPeople)) return showScope(context);
  const nodes = await api.list<NodeView>("nodes");
  // Who has one host sees the agents on it alone.
  if (parsed.has("hosts") || nodes.items.length > 1)
    await showHosts(context, await readHosts(context, nodes));
  if (parsed.has("hosts")) return EXIT.ok;
  if (nodes.items.length > 1) out.line("");
  return showScope(context);
}

/** The agents of one scope. */
async function showScope(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const path = `scopes/${encodeURIComponent(findFabricScope(context))}`;
  const view = parsed.has("observed") ? undefined : await findTopology(context, path);
  if (view === undefined) {
    if (!parsed.has("observed")) out.note("no topology: everybody may talk to everybody");
    await showObserved(context, await api.call<ObservedLinks>("GET", `${path}/links`));
  } else if (parsed.has("csv")) out.line(renderMatrixCsv(view.graph).trimEnd());
  else if (parsed.has("dot")) out.line(renderDot(view.graph).trimEnd());
  else {
    await out.document(view, {
      kind: "Topology",
      name: (item) => item.scope,
      text: (item) => renderMap(item.graph, item).trimEnd().split("\n"),
    });
  }
  return EXIT.ok;
}
