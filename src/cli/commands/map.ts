// SPDX-License-Identifier: Apache-2.0
import type { ObservedLinks, TopologyView } from "@fairlead/protocol/topology.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findFabricScope } from "#cli/find-fabric-scope.ts";
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

/** `fairlead map` */
export async function run(context: Context): Promise<number> {
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
