// SPDX-License-Identifier: Apache-2.0
import type { FlowView } from "@fairlead/protocol/flows.ts";
import type { Query } from "#cli/api-client.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { applyFilters } from "#cli/filters.ts";
import { findScope } from "#cli/find-scope.ts";
import { parseTime } from "#cli/flag-values.ts";
import { describeFlows, FLOW_LIST, renderFlow } from "#cli/render-flow.ts";

function readQuery(context: Context): Query {
  const { parsed } = context;
  const since = parsed.text("since");
  return {
    scope: findScope(context),
    service: parsed.text("service"),
    node: parsed.text("node"),
    from: parsed.text("from"),
    to: parsed.text("to"),
    denied: parsed.has("denied") ? true : undefined,
    sinceMs: since === undefined ? undefined : parseTime(since, Date.now()),
  };
}

/** `fairlead flows`: who was seen talking to whom; with `--follow` until interrupted. */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const query = readQuery(context);
  const limit = parsed.count("limit");
  if (!parsed.has("follow")) {
    const answer = await api.list<FlowView>("flows", query);
    const items = limit === undefined ? answer.items : answer.items.slice(0, limit);
    await out.list({ ...answer, items }, describeFlows(items));
    return answer.partial ? EXIT.unknown : EXIT.ok;
  }
  const filters = parsed.list("filter");
  applyFilters([], FLOW_LIST.columns, filters);
  let told = 0;
  for await (const flow of api.lines<FlowView>("GET", "flows/follow", { query })) {
    if (applyFilters([flow], FLOW_LIST.columns, filters).length === 0) continue;
    await out.stream(flow, (item, style) => renderFlow(item, style, Date.now()));
    if (++told === limit) break;
  }
  return EXIT.ok;
}
