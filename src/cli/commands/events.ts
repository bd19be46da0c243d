// SPDX-License-Identifier: Apache-2.0
import type { NodeEvent } from "@fairlead/protocol/views.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { applyFilters } from "#cli/filters.ts";
import { findScope } from "#cli/find-scope.ts";
import { followEvents } from "#cli/follow-events.ts";
import { renderEvent } from "#cli/render-event.ts";
import type { Column } from "#cli/table.ts";

function nameService(event: NodeEvent): string {
  if (event.kind === "decision") return event.decision.service ?? "";
  if (event.kind === "service") return event.service.name;
  if (event.kind === "alert") return event.alert.service ?? "";
  return event.kind === "engine" ? (event.service ?? "") : "";
}

const COLUMNS: readonly Column<NodeEvent>[] = [
  { key: "kind", title: "", value: (event) => event.kind },
  { key: "service", title: "", value: nameService },
];

/** `fairlead events`: goes on until interrupted, also when the node restarts. */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  const filters = parsed.list("filter");
  applyFilters([], COLUMNS, filters);
  for await (const { event } of followEvents(context, findScope(context))) {
    if (applyFilters([event], COLUMNS, filters).length === 0) continue;
    await out.stream(event, (item, style) => renderEvent(item, style, Date.now()));
  }
  return EXIT.ok;
}
