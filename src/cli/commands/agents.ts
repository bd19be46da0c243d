// SPDX-License-Identifier: Apache-2.0
import type { AgentView } from "@fairlead/protocol/views.ts";
import { formatDuration } from "#base/duration.ts";
import { formatSize } from "#base/size.ts";
import type { Context } from "#cli/context.ts";
import { findScope } from "#cli/find-scope.ts";
import { formatAge } from "#cli/format.ts";
import type { ListView } from "#cli/output.ts";
import { showOrWatch } from "#cli/watch.ts";

function describeState({ draining, healthy, offlineSinceMs }: AgentView): string {
  if (offlineSinceMs !== undefined) return "offline";
  if (draining) return "leaving";
  return healthy ? "ok" : "unhealthy";
}

/** How often and how long its senders waited for it, and what waits for it now. */
function describeBacklog({ backlog }: AgentView): string {
  if (backlog === undefined) return "";
  const { heldTimes, heldMs, waitingBytes } = backlog;
  return `${heldTimes} times, ${formatDuration(heldMs)}, ${formatSize(waitingBytes)} waiting`;
}

function listAgents(nowMs: number): ListView<AgentView> {
  return {
    name: (item) => item.id,
    empty: "nobody has joined the fabric",
    columns: [
      { key: "name", title: "AGENT", value: (item) => item.name },
      { key: "id", title: "ID", value: (item) => item.id, wide: true },
      { key: "scope", title: "SCOPE", value: (item) => item.scope },
      { key: "kind", title: "KIND", value: (item) => item.kind },
      {
        key: "state",
        title: "STATE",
        value: describeState,
        tone: (item) => (describeState(item) === "ok" ? "good" : "warn"),
      },
      {
        key: "serves",
        title: "SERVES",
        value: ({ contracts }) =>
          contracts.map(({ name, version }) => `${name} ${version}`).join(", "),
      },
      {
        key: "methods",
        title: "METHODS",
        value: ({ contracts }) =>
          contracts
            .flatMap(({ name, methods }) => methods.map((one) => `${name}/${one}`))
            .join(", "),
        wide: true,
      },
      {
        key: "hears",
        title: "HEARS",
        value: ({ subscriptions }) => subscriptions.map(({ pattern }) => pattern).join(", "),
      },
      { key: "load", title: "LOAD", value: ({ load }) => load.toFixed(2) },
      { key: "backlog", title: "HELD UP", value: describeBacklog, wide: true },
      { key: "node", title: "NODE", value: (item) => item.node ?? "" },
      {
        key: "source",
        title: "KNOWN BY",
        value: (item) => item.source ?? "joined here",
        wide: true,
      },
      {
        key: "addresses",
        title: "ADDRESSES",
        value: ({ addresses }) => addresses.join(", "),
        wide: true,
      },
      { key: "joined", title: "FOR", value: (item) => formatAge(item.joinedAtMs, nowMs) },
    ],
  };
}

/** `fairlead agents` */
export async function run(context: Context): Promise<number> {
  const scope = findScope(context);
  return showOrWatch(context, scope, async () => {
    const query = scope === undefined ? {} : { query: { scope } };
    await context.out.list(
      await context.api.list<AgentView>("agents", query.query),
      listAgents(Date.now()),
    );
  });
}
