// SPDX-License-Identifier: Apache-2.0
// Keeps the agents of a scope wired as its topology says: when one joins, leaves or dies, a decision says what changes and
// why, then the links are made anew with as few changes as the shape allows and each member is told where it may send.
import type { Clock, Random } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { createId } from "#base/ids.ts";
import { createLimiter, type Limiter } from "#base/limiter.ts";
import type { Logger } from "#base/logger.ts";
import type { Fabric } from "#fabric/fabric.ts";
import type { Decision } from "#model/decision.ts";
import type { Store, StoreOperation } from "#store/store.ts";
import { buildTopology } from "#topology/build.ts";
import { compareDrift } from "#topology/drift.ts";
import { measureTopology } from "#topology/metrics.ts";
import { isSelected, selectMembers, type Member } from "#topology/member.ts";
import { rewire, type Rewiring } from "#topology/rewire.ts";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import { FACE_TAG } from "@fairlead/protocol/names.ts";
import type {
  TopologyDeclaration,
  TopologyGraph,
  TopologyView,
} from "@fairlead/protocol/topology.ts";
import { computeRoutes } from "./compute-routes.ts";
import type { DecisionLog } from "./decision-log.ts";
import { describeRemoval, describeRewiring } from "./describe-rewiring.ts";
import { controlErrors } from "./errors.ts";
import { forgetTopology, keepTopology, keepWiring, type Wired } from "./kept-topologies.ts";
import type { ObservedBoard } from "./observed-board.ts";
import { planDeclaration, planRemoval } from "./plan-topology.ts";
import type { AskedBy, Topologies } from "./topologies.ts";

/**
 * How long after the node's start members that have not joined again keep their places: agents try again at the latest
 * every 7.5 s, so that a node that starts tears no ring apart.
 */
const REJOIN_MS = 10_000;
/** In this time agents have told of what they sent before they were wired anew: they report every two seconds. */
const REPORT_MS = 5_000;

export interface WiringOptions {
  readonly fabric: Pick<Fabric, "registry" | "routes" | "list">;
  readonly store: Store;
  readonly decisions: DecisionLog;
  /** What the store had at the start; `routes` were set by it. */
  readonly kept: ReadonlyMap<string, Wired>;
  readonly observed: Pick<ObservedBoard, "view">;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** How long members are waited for that have not joined again since the start. */
  readonly rejoinMs?: number;
}

export interface Wiring extends Topologies {
  run(signal: AbortSignal): Promise<void>;
}

function isMember({ declaration }: Wired, agent: AgentRecord): boolean {
  return agent.tags[FACE_TAG] === undefined && isSelected(declaration.members, agent);
}

/** Measures each graph once: who looks often costs the node no more than who looks after a change. */
function createMeasure(): (graph: TopologyGraph) => TopologyView["metrics"] {
  const known = new WeakMap<TopologyGraph, TopologyView["metrics"]>();
  return (graph) => {
    const metrics = known.get(graph) ?? measureTopology(graph);
    known.set(graph, metrics);
    return metrics;
  };
}

/** Makes the loop. Members that join are wired from now on, also before `run`, which ends it all. */
export function createWiring(options: WiringOptions): Wiring {
  const { fabric, store, decisions, observed, clock, random, logger } = options;
  const { rejoinMs = REJOIN_MS } = options;
  const scopes = new Map(options.kept);
  const measure = createMeasure();
  /** When each scope was wired last, by this node. */
  const wiredAtMs = new Map<string, number>();
  /** By scope, members from before the start that have not joined again; forgotten when their time is over. */
  const awaited = new Map(
    [...scopes].map(([scope, { members }]) => [scope, new Map(members.map((m) => [m.name, m]))]),
  );
  const due = new Set<string>();
  /** One change of a scope at a time, in the order in which they came. */
  const turns = new Map<string, Limiter>();

  function inTurn<T>(scope: string, work: () => Promise<T>): Promise<T> {
    const turn = turns.get(scope) ?? createLimiter(1);
    turns.set(scope, turn);
    return turn.run(work).finally(() => {
      if (turn.running === 0 && turns.get(scope) === turn) turns.delete(scope);
    });
  }

  function need(scope: string): Wired {
    const wired = scopes.get(scope);
    if (wired !== undefined) return wired;
    throw new FairleadError(controlErrors["no-topology"], `scope ${scope} has no topology`);
  }

  /** Those who are there, and those who are waited for. */
  function findMembers(scope: string, declaration: TopologyDeclaration): readonly Member[] {
    const agents = fabric.list({ scope }).filter(({ tags }) => tags[FACE_TAG] === undefined);
    const present = selectMembers(declaration.members, agents);
    const there = new Set(present.map(({ name }) => name));
    const missing = [...(awaited.get(scope)?.values() ?? [])];
    return [...present, ...missing.filter(({ name }) => !there.has(name))];
  }

  function plan(scope: string, declaration: TopologyDeclaration): Wired & { change: Rewiring } {
    const members = findMembers(scope, declaration);
    const before = scopes.get(scope)?.graph ?? buildTopology(declaration, []);
    const change = rewire(before, declaration, members);
    const byName = new Map(members.map((member) => [member.name, member]));
    const sorted = change.graph.members.flatMap((name) => byName.get(name) ?? []);
    return { declaration, graph: change.graph, members: sorted, change };
  }

  function apply(scope: string, { declaration, graph, members }: Wired): void {
    scopes.set(scope, { declaration, graph, members });
    wiredAtMs.set(scope, clock.nowMs());
    fabric.routes.set(scope, computeRoutes(graph));
  }

  async function begin(
    scope: string,
    by: AskedBy,
    change: Rewiring,
    also: readonly StoreOperation[] = [],
  ): Promise<Decision> {
    const action = describeRewiring(scope, change, by.actor, clock.nowMs());
    return decisions.begin(action, { scope, ...by }, also);
  }

  async function wire(scope: string): Promise<void> {
    const wired = scopes.get(scope);
    if (wired === undefined) return;
    const next = plan(scope, wired.declaration);
    const { added, removed, joined, left } = next.change;
    if (added.length + removed.length + joined.length + left.length > 0) {
      const also = [keepWiring(scope, next)];
      const decision = await begin(scope, { actor: "automatic" }, next.change, also);
      apply(scope, next);
      await decisions.finish(decision, { outcome: "done", result: "every member was told" });
    }
    // Who came after the plan was made has its turn yet; who became no member is held no longer.
    if (!due.has(scope)) fabric.routes.release(scope);
  }

  /** Many changes of one moment make one rewiring. */
  function wireSoon(scope: string): void {
    if (due.has(scope)) return;
    due.add(scope);
    setImmediate(() => {
      const work = inTurn(scope, () => {
        due.delete(scope);
        return wire(scope);
      });
      work.catch((thrown: unknown) => {
        logger.error("a scope could not be wired", { scope, reason: String(thrown) });
      });
    });
  }

  function view(scope: string): TopologyView {
    const { declaration, graph } = need(scope);
    const seen = observed.view(scope);
    const declaredAtMs = (wiredAtMs.get(scope) ?? 0) + REPORT_MS;
    return {
      scope,
      declaration,
      graph,
      awaited: [...(awaited.get(scope)?.keys() ?? [])].sort(),
      observed: seen,
      drift: compareDrift(graph, seen.links, { silent: seen.silent, declaredAtMs }),
      metrics: measure(graph),
    };
  }

  /** Does what a person asked for under its decision: what fails is written down, and thrown. */
  async function act(decision: Decision, work: () => Promise<string>): Promise<void> {
    try {
      await decisions.finish(decision, { outcome: "done", result: await work() });
    } catch (thrown) {
      const result = FairleadError.from(thrown).message;
      await decisions.finish(decision, { outcome: "failed", result });
      throw thrown;
    }
  }

  const stop = fabric.registry.watch(({ type, agent }) => {
    const wired = type === "changed" ? undefined : scopes.get(agent.scope);
    if (wired === undefined) return;
    const { scope, name } = agent;
    awaited.get(scope)?.delete(name);
    if (type === "up" && isMember(wired, agent) && fabric.routes.of(scope, name) === undefined)
      fabric.routes.hold(scope, name);
    wireSoon(scope);
  });

  return {
    list: () => [...scopes.keys()].sort(),
    view,
    observe: (scope) => observed.view(scope),
    plan(scope, declaration) {
      const madeAtMs = clock.nowMs();
      const id = createId("pl", madeAtMs, random);
      const common = { id, scope, madeAtMs, before: scopes.get(scope) };
      if (declaration === undefined) {
        const action = describeRemoval(scope, need(scope).graph, "plan", madeAtMs);
        return planRemoval({ ...common, action });
      }
      const { change } = plan(scope, declaration);
      const action = describeRewiring(scope, change, "plan", madeAtMs);
      return planDeclaration({ ...common, action }, declaration, change);
    },
    declare: (scope, declaration, by) =>
      inTurn(scope, async () => {
        // Of those who are not back only their names are known: whether other members are wanted now cannot be said.
        const before = scopes.get(scope)?.declaration.members;
        if (JSON.stringify(before) !== JSON.stringify(declaration.members)) awaited.delete(scope);
        const next = plan(scope, declaration);
        await act(await begin(scope, by, next.change), async () => {
          await store.transact(keepTopology(scope, next));
          apply(scope, next);
          return "every member was told";
        });
        return view(scope);
      }),
    remove: (scope, by) =>
      inTurn(scope, async () => {
        const { graph } = need(scope);
        const action = describeRemoval(scope, graph, by.actor, clock.nowMs());
        await act(await decisions.begin(action, { scope, ...by }), async () => {
          await store.transact(forgetTopology(scope));
          scopes.delete(scope);
          wiredAtMs.delete(scope);
          awaited.delete(scope);
          fabric.routes.set(scope, new Map());
          return "every member was told";
        });
      }),
    async run(signal) {
      for (const scope of scopes.keys()) wireSoon(scope);
      const over = clock.sleep(rejoinMs, signal).then(
        () => {
          const late = [...awaited.keys()];
          awaited.clear();
          for (const scope of late) wireSoon(scope);
        },
        () => undefined,
      );
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
      await over;
      stop();
    },
  };
}
