// SPDX-License-Identifier: Apache-2.0
import type { TopologyView } from "@fairlead/protocol/topology.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findFabricScope } from "#cli/find-fabric-scope.ts";
import { renderDot } from "#topology/dot.ts";
import { renderMatrixCsv } from "#topology/matrix.ts";
import { renderMap } from "#topology/render-map.ts";

/** `fairlead map` */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const scope = findFabricScope(context);
  const view = await api.call<TopologyView>("GET", `scopes/${encodeURIComponent(scope)}/topology`);
  if (parsed.has("csv")) out.line(renderMatrixCsv(view.graph).trimEnd());
  else if (parsed.has("dot")) out.line(renderDot(view.graph).trimEnd());
  else {
    await out.document(view, {
      kind: "Topology",
      name: (item) => item.scope,
      text: (item) => renderMap(item.graph).trimEnd().split("\n"),
    });
  }
  return EXIT.ok;
}
