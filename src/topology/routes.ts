// SPDX-License-Identifier: Apache-2.0
// Whether a message may go, and along which links. Each next hop is one link nearer to the receiver, so that no loop can
// form within one graph; where nodes know different graphs for a moment, the count of hops cuts it.
import type { TopologyGraph } from "@fairlead/protocol/topology.ts";
import { FairleadError } from "#base/errors.ts";
import type { ErrorKind } from "#base/errors.ts";
import { topologyErrors } from "./errors.ts";
import { indexLinks } from "./links.ts";

export type RefusalKind = "not-a-member" | "no-link" | "no-path" | "too-many-hops";

/** What becomes of a message. Paths begin with the sender and end with the receiver. */
export type SendVerdict =
  | { readonly verdict: "allowed"; readonly path: readonly string[] }
  | { readonly verdict: "relayed"; readonly next: string; readonly path: readonly string[] }
  | { readonly verdict: "refused"; readonly why: RefusalKind; readonly reason: string };

/** Next hops of a graph. A row is computed with the first message to its receiver: O(links), then kept. */
export interface RouteTable {
  /** Whether it is a member. */
  has(name: string): boolean;
  /** Whom to hand a message for `to` on to; undefined when there is no way. */
  nextHop(from: string, to: string): string | undefined;
  /** The shortest way, the least names among equals; undefined when there is none. */
  findPath(from: string, to: string): readonly string[] | undefined;
}

/** For one receiver the place to go next from each place, −1 where no way leads to it. */
function computeRow(incoming: readonly (readonly number[])[], target: number): Int32Array {
  const next = new Int32Array(incoming.length).fill(-1);
  next[target] = target;
  const queue = [target];
  for (const at of queue) {
    for (const from of incoming[at] ?? []) {
      if (next[from] !== -1) continue;
      next[from] = at;
      queue.push(from);
    }
  }
  return next;
}

/** The table of a graph, which must not change afterwards. */
export function createRouteTable(graph: TopologyGraph): RouteTable {
  const places = new Map(graph.members.map((name, i) => [name, i]));
  const turned = graph.links.map(({ from, to }) => ({ from: to, to: from }));
  const incoming = indexLinks({ ...graph, links: turned });
  const rows = new Map<number, Int32Array>();
  const rowOf = (target: number): Int32Array => {
    const row = rows.get(target) ?? computeRow(incoming, target);
    rows.set(target, row);
    return row;
  };
  const nextHop = (from: string, to: string): string | undefined => {
    const [source, target] = [places.get(from), places.get(to)];
    if (source === undefined || target === undefined) return undefined;
    return graph.members[rowOf(target)[source] ?? -1];
  };
  const findPath = (from: string, to: string): readonly string[] | undefined => {
    if (!places.has(from)) return undefined;
    const path = [from];
    for (let at = from; at !== to;) {
      const next = nextHop(at, to);
      if (next === undefined) return undefined;
      path.push(next);
      at = next;
    }
    return path;
  };
  return { has: (name) => places.has(name), nextHop, findPath };
}

const tables = new WeakMap<TopologyGraph, RouteTable>();

function tableOf(graph: TopologyGraph): RouteTable {
  const table = tables.get(graph) ?? createRouteTable(graph);
  tables.set(graph, table);
  return table;
}

/** Whom `from` hands a message for `to` on to; undefined when there is no way. The table of a graph is made once. */
export function nextHop(graph: TopologyGraph, from: string, to: string): string | undefined {
  return tableOf(graph).nextHop(from, to);
}

function nameShape({ kind }: TopologyGraph): string {
  return kind === "custom" ? "topology" : kind;
}

function refuse(why: RefusalKind, reason: string): SendVerdict {
  return { verdict: "refused", why, reason };
}

/**
 * Whether `from` may send to `to`: along a link, handed on along the topology, or not, with the reason. `hopsDone` are
 * the links that the message has come along already; a node that hands on asks again with its own name as `from`.
 */
export function canSend(graph: TopologyGraph, from: string, to: string, hopsDone = 0): SendVerdict {
  const table = tableOf(graph);
  const stranger = [from, to].find((name) => !table.has(name));
  if (stranger !== undefined)
    return refuse("not-a-member", `${stranger} is not a member of the ${nameShape(graph)}`);
  if (from === to) return { verdict: "allowed", path: [from] };
  const path = table.findPath(from, to);
  const next = path?.[1];
  if (!graph.relay && path?.length !== 2)
    return refuse(
      "no-link",
      `the ${nameShape(graph)} has no link from ${from} to ${to}, and does not relay`,
    );
  if (path === undefined || next === undefined)
    return refuse("no-path", `no links of the ${nameShape(graph)} lead from ${from} to ${to}`);
  const hops = hopsDone + path.length - 1;
  if (hops > graph.hopsMax)
    return refuse(
      "too-many-hops",
      `from ${from} to ${to} it takes ${hops} hops${hopsDone > 0 ? ` with the ${hopsDone} done` : ""}, ${graph.hopsMax} are allowed`,
    );
  return path.length === 2 ? { verdict: "allowed", path } : { verdict: "relayed", next, path };
}

/** A refusal as the error that the sender gets. */
export function refusalError(verdict: Extract<SendVerdict, { verdict: "refused" }>): FairleadError {
  const kind: ErrorKind = topologyErrors[verdict.why];
  return new FairleadError(kind, verdict.reason);
}
