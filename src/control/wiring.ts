// SPDX-License-Identifier: Apache-2.0
// Keeps the agents of a scope wired as its topology says: when one joins, leaves or dies, the links are made anew with as few
// changes as the shape allows, each member is told where it may send, and a decision says what changed and why.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { Fabric } from "#fabric/fabric.ts";
import type { PlannedAction } from "#model/action.ts";
import type { Store } from "#store/store.ts";
import { buildTopology } from "#topology/build.ts";
import { measureTopology } from "#topology/metrics.ts";
import { selectMembers } from "#topology/member.ts";
import { rewire, type Rewiring } from "#topology/rewire.ts";
import { createRouteTable } from "#topology/routes.ts";
import type { Routes } from "@fairlead/protocol/fabric.ts";
import {
  TopologyDeclaration,
  type TopologyGraph,
  type TopologyView,
} from "@fairlead/protocol/topology.ts";
import type { DecisionLog } from "./decision-log.ts";
import { controlErrors } from "./errors.ts";
import type { Topologies } from "./topologies.ts";

const PREFIX = "topology/";
/** Commands of people join for a moment; they are no members. */
const FACE_TAG = "face";

export interface WiringOptions {
  readonly fabric: Pick<Fabric, "registry" | "routes" | "list">;
  readonly store: Store;
  readonly decisions: DecisionLog;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Wiring extends Topologies {
  run(signal: AbortSignal): Promise<void>;
}

interface Wired {
  readonly declaration: TopologyDeclaration;
  graph: TopologyGraph;
}

/** Where each member may send: its links, and the next hop to the others where the topology passes messages on. */
export function computeRoutes(graph: TopologyGraph): ReadonlyMap<string, Routes> {
  const table = graph.relay ? createRouteTable(graph) : undefined;
  const out = new Map<string, string[]>(graph.members.map((name) => [name, []]));
  const incoming = new Map<string, string[]>(graph.members.map((name) => [name, []]));
  for (const { from, to } of graph.links) {
    out.get(from)?.push(to);
    incoming.get(to)?.push(from);
    if (graph.directed) continue;
    out.get(to)?.push(from);
    incoming.get(from)?.push(to);
  }
  return new Map(
    graph.members.map((name) => {
      const to = out.get(name) ?? [];
      const via: Record<string, string> = {};
      for (const other of table === undefined ? [] : graph.members) {
        const next = other === name || to.includes(other) ? undefined : table?.nextHop(name, other);
        if (next !== undefined) via[other] = next;
      }
      const { members, hopsMax } = graph;
      return [name, { to, from: incoming.get(name) ?? [], via, members, hopsMax }];
    }),
  );
}

function describe(scope: string, rewiring: Rewiring, actor: string, nowMs: number): PlannedAction {
  const { graph, added, removed, joined, left, reason } = rewiring;
  const name = (links: Rewiring["added"]): string =>
    links
      .slice(0, 20)
      .map(({ from, to }) => `${from}..${to}`)
      .join(" ") || "none";
  return {
    key: `topology/${scope}`,
    act: "topology.rewire",
    object: `topology/${scope}`,
    title: `wired ${graph.members.length} agents as a ${graph.kind}`,
    trigger: { kind: actor === "automatic" ? "members" : "person", detail: reason, atMs: nowMs },
    rule: { text: `topology ${graph.kind}` },
    inputs: {
      members: graph.members.length,
      links: graph.links.length,
      joined: joined.slice(0, 20).join(" ") || "none",
      left: left.slice(0, 20).join(" ") || "none",
      added: name(added),
      removed: name(removed),
      ...(rewiring.hub === undefined ? {} : { hub: rewiring.hub }),
    },
    notDone: [],
  };
}

/** Makes the loop; `run` has to be called for it to do anything. */
export function createWiring(options: WiringOptions): Wiring {
  const { fabric, store, decisions, clock, logger } = options;
  const scopes = new Map<string, Wired>();
  const due = new Set<string>();

  function need(scope: string): Wired {
    const wired = scopes.get(scope);
    if (wired !== undefined) return wired;
    throw new FairleadError(controlErrors["no-topology"], `scope ${scope} has no topology`);
  }

  function wire(scope: string, actor: string): void {
    const wired = scopes.get(scope);
    if (wired === undefined) return;
    const agents = fabric.list({ scope }).filter(({ tags }) => tags[FACE_TAG] === undefined);
    const members = selectMembers(wired.declaration.members, agents);
    const rewiring = rewire(wired.graph, wired.declaration, members);
    const { added, removed, joined, left } = rewiring;
    const changed = added.length + removed.length + joined.length + left.length > 0;
    wired.graph = rewiring.graph;
    if (!changed && actor === "automatic") return;
    fabric.routes.set(scope, computeRoutes(rewiring.graph));
    void record(describe(scope, rewiring, actor, clock.nowMs()), scope, actor);
  }

  async function record(action: PlannedAction, scope: string, actor: string): Promise<void> {
    try {
      const decision = await decisions.begin(action, { scope, actor });
      await decisions.finish(decision, { outcome: "done", result: "every member was told" });
    } catch (thrown) {
      logger.error("a rewiring could not be recorded", {
        reason: FairleadError.from(thrown).message,
      });
    }
  }

  /** Many changes of one moment make one rewiring. */
  function wireSoon(scope: string): void {
    if (!scopes.has(scope) || due.has(scope)) return;
    due.add(scope);
    setImmediate(() => {
      due.delete(scope);
      wire(scope, "automatic");
    });
  }

  function view(scope: string): TopologyView {
    const { declaration, graph } = need(scope);
    const { diameter, ...metrics } = measureTopology(graph);
    return {
      scope,
      declaration,
      graph,
      metrics: { ...metrics, ...(diameter === undefined ? {} : { diameter }) },
    };
  }

  return {
    list: () => [...scopes.keys()].sort(),
    view,
    async declare(scope, declaration, actor) {
      await store.transact([{ kind: "put", key: PREFIX + scope, value: declaration }]);
      scopes.set(scope, {
        declaration,
        graph: scopes.get(scope)?.graph ?? buildTopology(declaration, []),
      });
      wire(scope, actor);
      return view(scope);
    },
    async remove(scope, actor) {
      const { declaration } = need(scope);
      await store.transact([{ kind: "delete", key: PREFIX + scope }]);
      scopes.delete(scope);
      fabric.routes.set(scope, new Map());
      logger.info("a topology was removed", { scope, actor, kind: declaration.kind });
    },
    async run(signal) {
      const { entries } = await store.list(PREFIX);
      for (const { key, value } of entries) {
        const parsed = TopologyDeclaration.safeParse(value);
        const scope = key.slice(PREFIX.length);
        if (!parsed.success) {
          logger.error("a topology of the store cannot be read", { scope });
          continue;
        }
        scopes.set(scope, { declaration: parsed.data, graph: buildTopology(parsed.data, []) });
        wire(scope, "automatic");
      }
      const stop = fabric.registry.watch(({ type, agent }) => {
        if (type !== "changed") wireSoon(agent.scope);
      });
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
      stop();
    },
  };
}
