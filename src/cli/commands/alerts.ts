// SPDX-License-Identifier: Apache-2.0
import type { Alert } from "@fairlead/protocol/views.ts";
import type { Context } from "#cli/context.ts";
import { findScope } from "#cli/find-scope.ts";
import { formatAge } from "#cli/format.ts";
import type { ListView } from "#cli/output.ts";
import { showOrWatch } from "#cli/watch.ts";

function listAlerts(nowMs: number): ListView<Alert> {
  return {
    name: (item) => item.id,
    empty: "no alerts",
    columns: [
      { key: "name", title: "ALERT", value: (item) => item.name, tone: () => "bad" },
      { key: "scope", title: "SCOPE", value: (item) => item.scope },
      { key: "service", title: "SERVICE", value: (item) => item.service ?? "" },
      { key: "since", title: "FOR", value: (item) => formatAge(item.sinceMs, nowMs) },
      { key: "decision", title: "DECISION", value: (item) => item.decision ?? "", wide: true },
      { key: "message", title: "MESSAGE", value: (item) => item.message },
    ],
  };
}

/** `fairlead alerts` */
export async function run(context: Context): Promise<number> {
  const scope = findScope(context);
  return showOrWatch(context, scope, async () => {
    const alerts = await context.api.list<Alert>("alerts");
    const items = alerts.items.filter(
      (alert) => scope === undefined || alert.scope === scope || alert.scope === "",
    );
    await context.out.list({ ...alerts, items }, listAlerts(Date.now()));
  });
}
