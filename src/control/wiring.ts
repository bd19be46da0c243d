// SPDX-License-Identifier: Apache-2.0
// Keeps the agents of a scope wired as its topology says: when one joins, leaves or dies, a decision says what changes and
// why, then the links are made anew with as few changes as the shape allows and each member is told where it may send. In a
// fleet one node does it for the agents of all hosts and tells the others; whoever declares may be any of them.
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import { FACE_TAG } from "@fairlead/protocol/names.ts";
import type {
  TopologyDeclaration,
  TopologyGraph,
  TopologyView,
} from "@fairlead/protocol/topology.ts";
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
import { isSelected, selectMembers, type Member } from "#topology/member.ts";
import { measureTopology } from "#topology/metrics.ts";
import { rewire, type Rewiring } from "#topology/rewire.ts";
import { createAwaitedMembers, type AwaitedMembers } from "./awaited-members.ts";
import { computeRoutes } from "./compute-routes.ts";
import type { DecisionLog } from "./decision-log.ts";
import { describeRemoval, describeRewiring } from "./describe-rewiring.ts";
import { controlErrors } from "./errors.ts";
import type { FellowNodes } from "./fleet/fellow-nodes.ts";
import {
  forgetTopology,
  keepStamp,
  keepTopology,
  keepWiring,
  type Wired,
} from "./kept-topologies.ts";
import type { ObservedBoard } from "./observed-board.ts";
import { planDeclaration, planRemoval } from "./plan-topology.ts";
import {
  describeTold,
  keyOfTold,
  readTold,
  scopeOfTold,
  type ToldTopology,
} from "./told-topology.ts";
import type { AskedBy, Topologies } from "./topologies.ts";
import {
  compareStamps,
  NO_STAMP,
  stampDeclared,
  stampWired,
  type TopologyStamp,
} from "./topology-stamp.ts";

/**
 * How long members keep their places that went with their node, or have not joined again since this one started: agents try
 * again at the latest every 7.5 s, so that a node that starts tears no ring apart.
 */
const REJOIN_MS = 10_000;
/** In this time agents have told of what they sent before they were wired anew: they report every two seconds. */
const REPORT_MS = 5_000;

export interface WiringOptions {
  readonly fabric: Pick<Fabric, "registry" | "everyone" | "routes">;
  /** The other nodes; undefined without a fleet. */
  readonly fellows?: FellowNodes | undefined;
  readonly store: Store;
  readonly decisions: DecisionLog;
  /** What the store had at the start; `routes` were set by it. */
  readonly kept: ReadonlyMap<string, Wired>;
  /** How new that is; none by default. */
  readonly stamps?: ReadonlyMap<string, TopologyStamp>;
  readonly observed: Pick<ObservedBoard, "view">;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** How long members are waited for that may be back in a moment. */
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

/** One change of a scope at a time, in the order in which they came. */
function createTurns(): <T>(scope: string, work: () => Promise<T>) => Promise<T> {
  const turns = new Map<string, Limiter>();
  return (scope, work) => {
    const turn = turns.get(scope) ?? createLimiter(1);
    turns.set(scope, turn);
    return turn.run(work).finally(() => {
      if (turn.running === 0 && turns.get(scope) === turn) turns.delete(scope);
    });
  };
}

function awaitKept({ kept, clock, rejoinMs = REJOIN_MS }: WiringOptions): AwaitedMembers {
  const members = new Map([...kept].map(([scope, wired]) => [scope, wired.members]));
  return createAwaitedMembers(members, { clock, waitMs: rejoinMs });
}

/** What was declared before stamps were, or by a node by itself, is as old as can be. */
function stampKept({ kept, stamps }: WiringOptions, node: string): Map<string, TopologyStamp> {
  const first = stampDeclared(NO_STAMP, node);
  return new Map([...[...kept.keys()].map((scope) => [scope, first] as const), ...(stamps ?? [])]);
}

/** Makes the loop. Members that join are wired from now on, also before `run`, which ends it all. */
export function createWiring(options: WiringOptions): Wiring {
  const { fabric, fellows, store, decisions, observed, clock, random, logger } = options;
  const selfId = fellows?.self ?? "";
  const scopes = new Map(options.kept);
  /** Of scopes whose topology was removed too. */
  const stamps = stampKept(options, selfId);
  const measure = createMeasure();
  /** When each scope was wired last, by this node. */
  const wiredAtMs = new Map<string, number>();
  const awaited = awaitKept(options);
  const due = new Set<string>();
  const inTurn = createTurns();

  function need(scope: string): Wired {
    const wired = scopes.get(scope);
    if (wired !== undefined) return wired;
    throw new FairleadError(controlErrors["no-topology"], `scope ${scope} has no topology`);
  }

  /** Those who are there, and those who are waited for. */
  function findMembers(scope: string, declaration: TopologyDeclaration): readonly Member[] {
    const all = fabric.everyone.list({ scope });
    const agents = all.filter(({ tags }) => tags[FACE_TAG] === undefined);
    const present = selectMembers(declaration.members, agents);
    const there = new Set(present.map(({ name }) => name));
    return [...present, ...awaited.list(scope).filter(({ name }) => !there.has(name))];
  }

  function plan(scope: string, declaration: TopologyDeclaration): Wired & { change: Rewiring } {
    const members = findMembers(scope, declaration);
    const before = scopes.get(scope)?.graph ?? buildTopology(declaration, []);
    const change = rewire(before, declaration, members);
    const byName = new Map(members.map((member) => [member.name, member]));
    const sorted = change.graph.members.flatMap((name) => byName.get(name) ?? []);
    return { declaration, graph: change.graph, members: sorted, change };
  }

  const stampOf = (scope: string): TopologyStamp => stamps.get(scope) ?? NO_STAMP;

  /** From now on a scope is wired so, on this node, and the others are told. */
  function apply(scope: string, { stamp, wired }: ToldTopology): void {
    stamps.set(scope, stamp);
    if (wired === undefined) {
      scopes.delete(scope);
      wiredAtMs.delete(scope);
      awaited.forget(scope);
      fabric.routes.set(scope, new Map());
    } else {
      const { declaration, graph, members } = wired;
      scopes.set(scope, { declaration, graph, members });
      wiredAtMs.set(scope, clock.nowMs());
      fabric.routes.set(scope, computeRoutes(graph));
    }
    fellows?.nodes.tell(keyOfTold(scope), describeTold({ stamp, wired }));
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
    if (fellows?.isFirst() !== false) {
      const next = plan(scope, wired.declaration);
      const { added, removed, joined, left } = next.change;
      if (added.length + removed.length + joined.length + left.length > 0) {
        const stamp = stampWired(stampOf(scope), selfId);
        const also = [keepWiring(scope, next), keepStamp(scope, stamp)];
        const decision = await begin(scope, { actor: "automatic" }, next.change, also);
        apply(scope, { stamp, wired: next });
        await decisions.finish(decision, { outcome: "done", result: "every member was told" });
      }
    } else if (hasUnwired(scope, wired)) return;
    // Who came after the plan was made has its turn yet; who became no member is held no longer.
    if (!due.has(scope)) fabric.routes.release(scope);
  }

  /** Whether somebody who joined here waits for the node that wires. */
  function hasUnwired(scope: string, wired: Wired): boolean {
    return fabric.registry
      .list({ scope })
      .some((one) => isMember(wired, one) && fabric.routes.of(scope, one.name) === undefined);
  }

  /** Takes over what another node has told, if that is newer. A store that takes nothing does not keep anybody from it. */
  async function adopt(scope: string, told: ToldTopology): Promise<void> {
    const { stamp, wired } = told;
    if (compareStamps(stamp, stampOf(scope)) <= 0) return;
    const writes = wired === undefined ? forgetTopology(scope) : keepTopology(scope, wired);
    await store.transact([...writes, keepStamp(scope, stamp)]).catch((thrown: unknown) =>
      logger.warn("a topology of the fleet could not be kept", {
        scope,
        reason: FairleadError.from(thrown).message,
      }),
    );
    apply(scope, told);
    if (wired === undefined) fabric.routes.release(scope);
    else wireSoon(scope);
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
      awaited: awaited
        .list(scope)
        .map(({ name }) => name)
        .sort(),
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

  /** One that went with its node keeps its place for a moment. */
  function noteGone(wired: Wired, { scope, name, node = "" }: AgentRecord): void {
    if (fabric.everyone.named(scope, name).length > 0) return;
    const member = wired.members.find((one) => one.name === name);
    if (member === undefined || fellows?.mayReturn(node) !== true) awaited.note(scope, name);
    else awaited.add(scope, member, node);
  }

  const wireAll = (): void => [...scopes.keys()].forEach(wireSoon);

  function follow({ nodes, onTurn, onGone }: FellowNodes): readonly (() => void)[] {
    for (const [scope, stamp] of stamps)
      nodes.tell(keyOfTold(scope), describeTold({ stamp, wired: scopes.get(scope) }));
    return [
      onTurn(wireAll),
      onGone((name) => awaited.giveUp(name).forEach(wireSoon)),
      nodes.onTold(({ name }, key, value) => {
        const scope = scopeOfTold(key);
        if (scope === undefined) return;
        const told = readTold(value);
        if (told === undefined)
          logger.warn("a topology that a node tells cannot be read", { name });
        else
          inTurn(scope, () => adopt(scope, told)).catch((thrown: unknown) =>
            logger.error("a topology of the fleet was not taken over", {
              scope,
              reason: String(thrown),
            }),
          );
      }),
    ];
  }

  function note(type: "up" | "gone", agent: AgentRecord): void {
    const wired = scopes.get(agent.scope);
    if (wired === undefined) return;
    const { scope, name } = agent;
    if (type === "gone") noteGone(wired, agent);
    else {
      awaited.note(scope, name);
      const isOwn = fabric.registry.get(agent.id) !== undefined;
      if (isOwn && isMember(wired, agent) && fabric.routes.of(scope, name) === undefined)
        fabric.routes.hold(scope, name);
    }
    wireSoon(scope);
  }

  const stops = [
    fabric.everyone.watch(({ type, agent }) =>
      type === "changed" ? undefined : note(type, agent),
    ),
    ...(fellows === undefined ? [] : follow(fellows)),
  ];

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
        if (JSON.stringify(before) !== JSON.stringify(declaration.members)) awaited.forget(scope);
        const next = plan(scope, declaration);
        const stamp = stampDeclared(stampOf(scope), selfId);
        await act(await begin(scope, by, next.change), async () => {
          await store.transact([...keepTopology(scope, next), keepStamp(scope, stamp)]);
          apply(scope, { stamp, wired: next });
          return "every member was told";
        });
        return view(scope);
      }),
    remove: (scope, by) =>
      inTurn(scope, async () => {
        const { graph } = need(scope);
        const action = describeRemoval(scope, graph, by.actor, clock.nowMs());
        await act(await decisions.begin(action, { scope, ...by }), async () => {
          const stamp = stampDeclared(stampOf(scope), selfId);
          await store.transact([...forgetTopology(scope), keepStamp(scope, stamp)]);
          apply(scope, { stamp, wired: undefined });
          return "every member was told";
        });
      }),
    async run(signal) {
      wireAll();
      await awaited.run(signal, wireSoon);
      for (const stop of stops) stop();
    },
  };
}
