// SPDX-License-Identifier: Apache-2.0
import type { Decision } from "@fairlead/protocol/decision.ts";
import { formatDuration } from "#base/duration.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findScope } from "#cli/find-scope.ts";
import { formatTime } from "#cli/format.ts";
import type { ListView } from "#cli/output.ts";
import { toneOfOutcome } from "#cli/style.ts";
import type { Column } from "#cli/table.ts";

/** Who decided, once it can be another node. */
const NODE: Column<Decision> = { key: "node", title: "NODE", value: (item) => item.node ?? "" };

function listDecisions(nowMs: number, spans: boolean): ListView<Decision> {
  return {
    name: (item) => item.id,
    empty: "no decisions",
    columns: [
      { key: "time", title: "TIME", value: (item) => formatTime(item.startedAtMs, nowMs) },
      { key: "id", title: "DECISION", value: (item) => item.id },
      { key: "scope", title: "SCOPE", value: (item) => item.scope, wide: true, tellsApart: true },
      { key: "service", title: "SERVICE", value: (item) => item.service ?? "", wide: true },
      ...(spans ? [NODE] : []),
      { key: "title", title: "WHAT", value: (item) => item.title },
      {
        key: "outcome",
        title: "OUTCOME",
        value: (item) => item.outcome,
        tone: (item) => toneOfOutcome(item.outcome),
      },
      {
        key: "took",
        title: "TOOK",
        value: (item) => (item.durationMs === undefined ? "" : formatDuration(item.durationMs)),
      },
      { key: "actor", title: "WHO", value: (item) => item.actor, wide: true },
      { key: "reason", title: "REASON", value: (item) => item.reason ?? "", wide: true },
      { key: "act", title: "ACT", value: (item) => item.act, wide: true },
      { key: "because", title: "BECAUSE", value: (item) => item.trigger.detail },
    ],
  };
}

/** `fairlead decisions` */
export async function run(context: Context): Promise<number> {
  const { parsed, api, out } = context;
  const decisions = await api.list<Decision>("decisions", {
    scope: findScope(context),
    service: parsed.text("service"),
    node: parsed.text("node"),
    outcome: parsed.text("outcome"),
    sinceMs: parsed.timeMs("since"),
    untilMs: parsed.timeMs("until"),
    limit: Math.min(Math.max(parsed.count("limit") ?? 50, 1), 1_000),
  });
  const spans = decisions.items.some(({ node }) => node !== undefined);
  await out.list(decisions, listDecisions(Date.now(), spans));
  return EXIT.ok;
}
