// SPDX-License-Identifier: Apache-2.0
import type { QueueView } from "@fairlead/protocol/routes.ts";
import { formatDuration } from "#base/duration.ts";
import type { Context } from "#cli/context.ts";
import { findScope } from "#cli/find-scope.ts";
import { formatAge } from "#cli/format.ts";
import type { ListView } from "#cli/output.ts";
import type { Column } from "#cli/table.ts";
import { showOrWatch } from "#cli/watch.ts";

/** Who keeps them, once it can be another node. */
const NODE: Column<QueueView> = { key: "node", title: "NODE", value: (item) => item.node ?? "" };

function listQueues(nowMs: number, spans: boolean): ListView<QueueView> {
  return {
    name: (item) => item.subject,
    empty: "no message waits",
    columns: [
      { key: "subject", title: "SUBJECT", value: (item) => item.subject },
      { key: "scope", title: "SCOPE", value: (item) => item.scope },
      { key: "group", title: "GROUP", value: (item) => item.group ?? "(dead letters)" },
      ...(spans ? [NODE] : []),
      { key: "waiting", title: "WAITING", value: (item) => String(item.waiting) },
      { key: "inFlight", title: "IN FLIGHT", value: (item) => String(item.inFlight) },
      { key: "redelivered", title: "AGAIN", value: (item) => String(item.redelivered) },
      {
        key: "oldest",
        title: "OLDEST",
        value: ({ oldestAtMs }) => (oldestAtMs === undefined ? "" : formatAge(oldestAtMs, nowMs)),
      },
      {
        key: "idle",
        title: "UNREAD",
        value: ({ idle }) =>
          idle === undefined
            ? ""
            : `${formatDuration(idle.forMs)}, goes in ${formatDuration(idle.goesInMs)}`,
      },
    ],
  };
}

/** `fairlead queues` */
export async function run(context: Context): Promise<number> {
  const scope = findScope(context);
  return showOrWatch(context, scope, async () => {
    const query = scope === undefined ? {} : { scope };
    const queues = await context.api.list<QueueView>("queues", query);
    const spans = queues.items.some(({ node }) => node !== undefined);
    await context.out.list(queues, listQueues(Date.now(), spans));
  });
}
