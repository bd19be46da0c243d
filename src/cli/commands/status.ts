// SPDX-License-Identifier: Apache-2.0
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { Alert, DiscoveryWay, NodeStatus } from "@fairlead/protocol/views.ts";
import { formatDuration } from "#base/duration.ts";
import { formatSize } from "#base/size.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { formatCount } from "#cli/format.ts";
import { makePrintable } from "#cli/printable.ts";
import type { Style, Tone } from "#cli/style.ts";
import { showOrWatch } from "#cli/watch.ts";

type Row = readonly [tone: Tone, what: string, text: string, next?: string];

function describeEngine({ engine }: NodeStatus): Row {
  if (!engine.reachable)
    return [
      "bad",
      "engine",
      engine.problem ?? `no answer at ${engine.endpoint}`,
      "fairlead doctor",
    ];
  return [
    "good",
    "engine",
    `Docker Engine ${engine.version ?? "?"}, API ${engine.apiVersion ?? "?"} at ${engine.endpoint}`,
  ];
}

function describeStore({ store }: NodeStatus): Row {
  if (!store.writable)
    return [
      "bad",
      "store",
      store.problem ?? "cannot be written; healing goes on",
      "fairlead doctor",
    ];
  return ["good", "store", `${formatSize(store.sizeBytes)}`];
}

function describeAlert(alert: Alert): Row {
  const object = alert.decision ?? alert.service ?? alert.scope;
  return [
    "warn",
    "alert",
    `${alert.name}: ${alert.message}`,
    object === "" ? undefined : `fairlead why ${object}`,
  ] as Row;
}

function describeWay({ kind, where, state, problem, peers, counters }: DiscoveryWay): Row {
  if (state === "failed")
    return ["warn", "discovery", `${kind} ${where}: ${problem ?? "failed"}`, "fairlead doctor"];
  const { unauthenticated = 0, replayed = 0, malformed = 0 } = counters;
  const ignored = [
    `${unauthenticated} without the key`,
    `${replayed} replayed`,
    `${malformed} malformed`,
  ];
  const heard = formatCount(peers.length, "node");
  return ["good", "discovery", `${kind} ${where}: ${heard} heard; ignored ${ignored.join(", ")}`];
}

/** What is unknown is never told as none. */
function describeServices({ engine, services, instances, unhealthy }: NodeStatus): Row {
  const counts = `${formatCount(services, "service")}, ${formatCount(instances, "instance")}, ${unhealthy} unhealthy`;
  if (!engine.reachable) {
    const seen = engine.asOfMs === undefined ? "not known" : `${counts} when last seen`;
    return ["dim", "services", seen];
  }
  if (unhealthy > 0) return ["warn", "services", counts, "fairlead services -A"];
  return ["good", "services", counts];
}

/** Nothing for a node by itself. */
function describeFleet(nodes: readonly NodeView[]): readonly Row[] {
  if (nodes.every(({ address }) => address === undefined)) return [];
  const counts = Map.groupBy(nodes, ({ state }) => state);
  const words = [...counts].map(([state, all]) => `${all.length} ${state}`).join(", ");
  const leader = nodes.find((node) => node.leader === true);
  const leads = leader === undefined ? "nobody leads" : `${leader.name} leads`;
  const isWhole = (counts.get("alive") ?? []).length === nodes.length && leader !== undefined;
  return [
    [
      isWhole ? "good" : "warn",
      "fleet",
      `${formatCount(nodes.length, "node")}: ${words}; ${leads}`,
      "fairlead nodes",
    ],
  ];
}

function renderStatus(status: NodeStatus, nodes: readonly NodeView[], style: Style): string[] {
  const { scopes } = status;
  const rows: Row[] = [
    describeEngine(status),
    describeStore(status),
    describeServices(status),
    ...describeFleet(nodes),
    [
      "good",
      "automation",
      `${formatCount(status.decisionsToday, "decision")} today`,
      "fairlead decisions -A",
    ],
    // The registry alone is nothing to tell of: on one host there is nothing else.
    ...(status.discovery ?? [])
      .filter(({ kind, state }) => kind !== "registry" && state !== "off")
      .map(describeWay),
    ...status.alerts.map(describeAlert),
  ];
  const up = formatDuration(Date.now() - status.startedAtMs);
  return [
    `${style.paint(status.node, "bold")} · fairlead ${status.version} · up ${up} · you are ${status.you}${status.role === undefined ? "" : ` (${status.role})`}`,
    ...rows.map(([tone, what, text, next]) =>
      [`${style.paint(style.mark(tone), tone)} ${what.padEnd(11)} ${makePrintable(text)}`, next]
        .filter((part) => part !== undefined)
        .join("    "),
    ),
    `  observing ${formatCount(scopes.observed, "scope")}, managing ${scopes.managed}`,
    ...(status.page === undefined ? [] : [`  page ${status.page} (fairlead ui)`]),
  ];
}

/** `fairlead status`: exits 0 when all is well, 1 when something is not, 3 when the engine does not answer. */
export async function run(context: Context): Promise<number> {
  let last: NodeStatus | undefined;
  const code = await showOrWatch(context, undefined, async () => {
    last = await context.api.call<NodeStatus>("GET", "status");
    const nodes = context.out.forPeople ? await context.api.list<NodeView>("nodes") : undefined;
    await context.out.document(last, {
      kind: "NodeStatus",
      name: (item) => item.node,
      text: (item, style) => renderStatus(item, nodes?.items ?? [], style),
    });
  });
  if (code !== EXIT.ok || last === undefined) return code;
  if (!last.engine.reachable) return EXIT.unknown;
  return last.unhealthy === 0 && last.alerts.length === 0 && last.store.writable
    ? EXIT.ok
    : EXIT.no;
}
