// SPDX-License-Identifier: Apache-2.0
// Nodes of a fleet over one store in memory and a clock of the test's: who leads places, each follows. Only the engines
// are missing: what a node would run is what it has put into its own store.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeState, NodeView } from "@fairlead/protocol/node.ts";
import fc from "fast-check";
import { silentLogger } from "#base/logger.ts";
import { buildIntent, buildService, SCOPE } from "#brain/testing/builders.ts";
import { buildNode, buildReport } from "#brain/testing/fleet.ts";
import { createDecisionLog, type DecisionLog } from "#control/decision-log.ts";
import type { Desired, ScopeLoop } from "#control/scope-loop.ts";
import { createStoreDoor, type StoreDoor } from "#control/testing/store-door.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import { createManualClock, type ManualClock } from "#store/testing/manual-clock.ts";
import { createFleetBoard, type FleetBoard } from "./fleet-board.ts";
import { createFollowing } from "./following.ts";
import { createLeadership, type Leadership } from "./leadership.ts";
import { createPlacing } from "./placing.ts";
import { createPictureReader } from "./read-picture.ts";

interface Host {
  readonly id: string;
  readonly door: StoreDoor;
  readonly board: FleetBoard;
  readonly leadership: Leadership;
  readonly decisions: DecisionLog;
  /** What it has taken into its own store. */
  readonly desired: Map<string, Desired>;
  /** Whether a singleton may start on it. */
  isOpen(): boolean;
}

interface Ground extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly hosts: readonly Host[];
  /** How each node is seen. */
  readonly states: Map<string, NodeState>;
  /** Who was told to leave. */
  readonly leavers: Set<string>;
  /** Lets time pass until something holds. */
  until(what: string, holds: () => boolean): Promise<void>;
  /** `1@a 2@b`, as the nodes have taken it. */
  draw(): string;
}

const intent = buildIntent([buildService({ name: "web", replicas: 3 })]);

function view(id: string, state: NodeState, self: boolean): NodeView {
  const { name, schedulable, draining } = buildNode({ id });
  const host = { version: "1", os: "linux", arch: "x86_64", cpuCount: 2, memoryBytes: 1 };
  const seen = { incarnation: 1, labels: {}, devices: {}, state, reason: "", self, silentMs: 0 };
  return { id, name, schedulable, draining, ...host, ...seen };
}

async function startHost(
  id: string,
  ground: Pick<Ground, "clock" | "states" | "leavers">,
  shared: Store,
  signal: AbortSignal,
) {
  const { clock, states } = ground;
  const door = createStoreDoor(shared);
  const common = { clock, random: Math.random, logger: silentLogger };
  const board = createFleetBoard({ ...common, openStore: () => Promise.resolve(door.store) });
  const roll = {
    list: () =>
      [...states].map(([one, state]) => view(one, one === id ? "alive" : state, one === id)),
    problem: undefined,
    onChange: () => undefined,
    onLook(listener: () => void) {
      lookers.add(listener);
      return () => void lookers.delete(listener);
    },
  };
  const lookers = new Set<() => void>();
  async function look(): Promise<void> {
    for (; !signal.aborted; lookers.forEach((looker) => looker()))
      await clock.sleep(200, signal).catch(() => undefined);
  }
  void look();
  const pictures = createPictureReader({ board, roll, clock });
  const leadership = createLeadership({ ...common, board, self: id, roll });
  const own = await openStore({ kind: "memory" }, { clock });
  const decisions = createDecisionLog({ ...common, store: own });
  const desired = new Map<string, Desired>();
  const put = (one: Desired): Promise<void> => {
    desired.set(one.intent.scope, one);
    return Promise.resolve();
  };
  const loopOf = (scope: string): ScopeLoop | undefined => {
    const one = desired.get(scope);
    return one === undefined ? undefined : ({ desired: one } as ScopeLoop);
  };
  const supervisor = {
    loop: loopOf,
    get loops() {
      return new Map(
        [...desired.keys()].flatMap((scope) => {
          const loop = loopOf(scope);
          return loop === undefined ? [] : [[scope, loop] as const];
        }),
      );
    },
  };
  const placing = createPlacing({ ...common, board, roll, pictures, leadership, decisions });
  const intake = { put, take: put };
  const following = createFollowing({
    ...common,
    self: id,
    name: "harbour",
    onLook: () => undefined,
    hasVolumes: () => false,
    hasLeft: () => ground.leavers.has(id),
    presentUnder: () => present,
    board,
    pictures,
    supervisor,
    intake,
  });
  // What it has to offer hangs on its lease, as on a node.
  let offered: string | undefined;
  let present: string | undefined;
  board.onChange(() => {
    const { lease } = board;
    if (lease === undefined || lease === offered) return;
    offered = lease;
    const value = buildNode({ id }).offer;
    board
      .write([{ kind: "put", key: `offers/${id}`, value, lease }])
      .then(() => {
        present = lease;
        following.wake();
      })
      .catch(() => (offered = undefined));
  });
  const loops = [board, leadership, placing, following].map((loop) => loop.run(signal));
  const isOpen = (): boolean =>
    board.heldLease !== undefined && following.settledUnder === board.heldLease;
  return {
    host: { id, door, board, leadership, decisions, desired, isOpen },
    running: Promise.all(loops),
  };
}

async function openGround(): Promise<Ground> {
  const clock = createManualClock();
  const shared = await openStore({ kind: "memory" }, { clock });
  const stopping = new AbortController();
  const states = new Map<string, NodeState>(["a", "b", "c"].map((id) => [id, "alive"]));
  const leavers = new Set<string>();
  const started: Awaited<ReturnType<typeof startHost>>[] = [];
  for (const id of states.keys())
    started.push(await startHost(id, { clock, states, leavers }, shared, stopping.signal));
  const hosts = started.map(({ host }) => host);
  return {
    clock,
    hosts,
    states,
    leavers,
    async until(what, holds) {
      for (let step = 0; step < 400 && !holds(); step++) await clock.advance(100);
      assert.ok(holds(), what);
    },
    draw: () =>
      hosts
        .flatMap(({ id, desired }) => {
          const one = desired.get(SCOPE);
          if (one === undefined || one.removal !== undefined) return [];
          const { slots = [1, 2, 3] } = one.intent.services[0] ?? {};
          return slots.map((slot) => `${slot}@${id}`);
        })
        .sort()
        .join(" "),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await Promise.all(started.map(({ running }) => running));
      await shared[Symbol.asyncDispose]();
    },
  };
}

function hostOf({ hosts }: Ground, id: string): Host {
  return hosts.find((host) => host.id === id) ?? assert.fail();
}

/** Asks for three of `web`, and waits until each node has its own. */
async function ask(ground: Ground, wanted = intent): Promise<void> {
  const [any] = ground.hosts;
  await ground.until("all are there", () => any?.board.list("offers").size === 3);
  await ground.until("somebody leads", () => any?.leadership.leader !== undefined);
  const value = { intent: wanted, origin: "a", actor: "test" };
  await any?.board.write([{ kind: "put", key: `intent/${SCOPE}`, value }]);
  await ground.until("each has its own", () => ground.draw() === "1@a 2@b 3@c");
}

/** Whoever has a slot now, besides another that has it too, reports that it runs. */
async function reportTaken(ground: Ground, { board }: Host, slot: number): Promise<void> {
  const holders = ground
    .draw()
    .split(" ")
    .flatMap((one) => {
      const [at, node = ""] = one.split("@");
      return Number(at) === slot ? [node] : [];
    });
  const value = buildReport("web", [slot]);
  await board.write(
    holders
      .filter((node) => ground.states.get(node) === "alive")
      .map((node) => ({ kind: "put", key: `reports/${node}/${SCOPE}`, value })),
  );
}

test("a node that is gone gives its slots to others, with a decision of the leader; back again it has none", async () => {
  await using ground = await openGround();
  await ask(ground);
  const leader = hostOf(ground, hostOf(ground, "a").leadership.leader ?? "");
  const lost = leader.id === "c" ? "b" : "c";
  const host = hostOf(ground, lost);
  host.door.shut();
  ground.states.set(lost, "suspect");
  await ground.clock.advance(5_000);
  assert.equal(ground.draw(), "1@a 2@b 3@c");
  ground.states.set(lost, "gone");
  const slot = lost === "c" ? 3 : 2;
  await ground.until("it runs elsewhere", () => ground.draw().split(" ").length === 4);
  // The one that is cut off goes on with what it has.
  assert.ok(ground.draw().includes(`${slot}@${lost}`));
  const made = await leader.decisions.list({ scope: SCOPE, limit: 10 });
  assert.deepEqual(
    made.map(({ act, outcome, trigger }) => [act, outcome, trigger.detail]),
    [
      ["service.place", "done", `node-${lost} is gone`],
      ["service.place", "done", "nobody was to have it yet"],
    ],
  );
  host.door.open();
  ground.states.set(lost, "alive");
  const [key] = [...leader.board.list("assignments").keys()];
  assert.equal(key, SCOPE);
  await reportTaken(ground, leader, slot);
  await ground.until("the double is folded", () => host.desired.get(SCOPE)?.removal !== undefined);
  assert.equal(ground.draw().split(" ").length, 3);
});

test("what is eager stays on a node that said that it leaves, as for an upgrade, and moves on suspicion", async () => {
  await using ground = await openGround();
  await ask(ground, buildIntent([buildService({ name: "web", replicas: 3, failover: "eager" })]));
  const { leader } = hostOf(ground, "a").leadership;
  const ended = leader === "c" ? "b" : "c";
  hostOf(ground, ended).door.shut();
  ground.states.set(ended, "left");
  await ground.clock.advance(5_000);
  for (let step = 0; step < 20; step++) await ground.clock.advance(100);
  assert.equal(ground.draw(), "1@a 2@b 3@c");
  ground.states.set(ended, "suspect");
  await ground.until("it runs elsewhere", () => ground.draw().split(" ").length === 4);
});

test("what runs on a node that left for good goes on there, and elsewhere too", async () => {
  await using ground = await openGround();
  await ask(ground);
  const { leader } = hostOf(ground, "a").leadership;
  const gone = leader === "c" ? "b" : "c";
  const { desired } = hostOf(ground, gone);
  const had = desired.get(SCOPE);
  const slot = Number(new RegExp(`(\\d)@${gone}`).exec(ground.draw())?.[1]);
  ground.leavers.add(gone);
  ground.states.set(gone, "gone");
  await ground.until("it runs elsewhere", () => ground.draw().split(" ").length === 4);
  await reportTaken(ground, hostOf(ground, leader ?? ""), slot);
  await ground.clock.advance(10_000);
  for (let step = 0; step < 50; step++) await ground.clock.advance(100);
  assert.ok(had !== undefined && desired.get(SCOPE) === had);
});

test("another leads when the leader is lost, and what was placed stays", async () => {
  await using ground = await openGround();
  await ask(ground);
  const first = hostOf(ground, hostOf(ground, "a").leadership.leader ?? "");
  const others = ground.hosts.filter(({ id }) => id !== first.id);
  first.door.shut();
  await ground.until("another leads", () =>
    others.some(({ leadership }) => leadership.fence !== undefined),
  );
  assert.equal(first.leadership.fence, undefined);
  assert.equal(ground.draw(), "1@a 2@b 3@c");
  ground.states.set(first.id, "gone");
  await ground.until("it runs elsewhere", () => ground.draw().split(" ").length === 4);
});

test("what a newer version wants stays as it is on nodes that cannot read it, until somebody says it as they know it", async () => {
  await using ground = await openGround();
  await ask(ground);
  const [any] = ground.hosts;
  const key = `intent/${SCOPE}`;
  const known = any?.board.get(key)?.value as object;
  await any?.board.write([{ kind: "put", key, value: { ...known, mood: "calm" } }]);
  await ground.clock.advance(20_000);
  assert.equal(ground.draw(), "1@a 2@b 3@c");
  const value = { ...known, removal: { volumes: false } };
  await any?.board.write([{ kind: "put", key, value }]);
  await ground.until("all is removed", () => ground.draw() === "");
});

test("down -v while a host is away removes its volumes when it is back", async () => {
  await using ground = await openGround();
  await ask(ground);
  const leader = hostOf(ground, hostOf(ground, "a").leadership.leader ?? "");
  const away = ground.hosts.find(({ id }) => id !== leader.id) ?? assert.fail();
  away.door.shut();
  ground.states.set(away.id, "gone");
  const key = `intent/${SCOPE}`;
  const value = { ...(leader.board.get(key)?.value as object), removal: { volumes: true } };
  await leader.board.write([{ kind: "put", key, value }]);
  const report = { generation: leader.board.get(key)?.revision };
  for (const { id } of ground.hosts)
    if (id !== away.id)
      await leader.board.write([{ kind: "put", key: `reports/${id}/${SCOPE}`, value: report }]);
  await ground.until("the fleet has it no more", () => leader.board.get(key) === undefined);
  const owed = `owed/${away.id}/${SCOPE}`;
  assert.deepEqual(leader.board.get(owed)?.value, { volumes: true });
  away.door.open();
  ground.states.set(away.id, "alive");
  await ground.until("its volumes go", () => away.desired.get(SCOPE)?.removal?.volumes === true);
  away.desired.delete(SCOPE);
  // As when its loop has ended: something else in the store makes it look.
  await leader.board.write([{ kind: "put", key: "intent/other", value: {} }]);
  await ground.until("it owes nothing", () => leader.board.get(owed) === undefined);
});

test("a store that lost everything is told again what is wanted, and nothing is removed", async () => {
  await using ground = await openGround();
  await ask(ground);
  const { store } = hostOf(ground, "a").door;
  const { entries } = await store.list("");
  await store.transact(entries.map(({ key }) => ({ kind: "delete", key })));
  const reports = [
    ["a", 1],
    ["b", 2],
    ["c", 3],
  ].map(([id, slot]) => ({
    kind: "put" as const,
    key: `reports/${id}/${SCOPE}`,
    value: buildReport("web", [Number(slot)]),
  }));
  const offers = ["a", "b", "c"].map((id) => ({
    kind: "put" as const,
    key: `offers/${id}`,
    value: buildNode({ id }).offer,
  }));
  await store.transact([...reports, ...offers]);
  const asked = (): boolean => hostOf(ground, "b").board.get(`assignments/${SCOPE}`) !== undefined;
  await ground.until("it is placed again", asked);
  for (let step = 0; step < 50; step++) {
    await ground.clock.advance(100);
    assert.equal(ground.draw(), "1@a 2@b 3@c");
  }
});

const event = fc.record({
  kind: fc.constantFrom("cut", "cut", "mend", "gone", "alive", "wait"),
  of: fc.constantFrom("a", "b", "c"),
  seconds: fc.integer({ min: 1, max: 15 }),
});

/** Histories in one of which it surely moves: where it runs is lost. */
const LOST = (["a", "b", "c"] as const).map((of) =>
  (["gone", "cut", "wait", "wait", "wait"] as const).map((kind) => ({ kind, of, seconds: 15 })),
);

test("whoever is cut off, and whenever others take it for gone: a singleton never runs twice", async () => {
  const graceMs = 10_000;
  const one = buildService({ name: "web", replicas: 1, singleton: true, stopGraceMs: graceMs });
  let moves = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 25 }), async (events) => {
      await using ground = await openGround();
      const [any] = ground.hosts;
      await ground.until("all are there", () => any?.board.list("offers").size === 3);
      const value = { intent: buildIntent([one]), origin: "a", actor: "test" };
      await any?.board.write([{ kind: "put", key: `intent/${SCOPE}`, value }]);
      /** When each last had a reason to run it; it may take its grace to stop. */
      const lastMs = new Map<string, number>();
      let ran = "";
      for (const { kind, of, seconds } of events) {
        const { door } = hostOf(ground, of);
        if (kind === "cut") door.shut();
        if (kind === "mend") door.open();
        if (kind === "gone" || kind === "alive") ground.states.set(of, kind);
        for (let step = 0; step < seconds * 4; step++) {
          await ground.clock.advance(250);
          const nowMs = ground.clock.monotonicMs();
          for (const { id, isOpen, desired } of ground.hosts) {
            const scope = desired.get(SCOPE);
            const slots = scope?.removal === undefined ? scope?.intent.services[0] : undefined;
            const has = slots !== undefined && (slots.slots ?? [1]).includes(1);
            if (!has || !isOpen()) continue;
            lastMs.set(id, nowMs);
            if (ran !== "" && ran !== id) moves++;
            ran = id;
          }
          const running = [...lastMs].filter(([, ms]) => nowMs - ms < (ms === nowMs ? 1 : graceMs));
          const starting = running.filter(([, ms]) => ms === nowMs);
          if (starting.length > 0) assert.equal(running.length, 1, JSON.stringify(running));
        }
      }
    }),
    {
      numRuns: Number(process.env["FAIRLEAD_SINGLETON_RUNS"] ?? 25),
      examples: LOST.map((one) => [one] as [typeof one]),
    },
  );
  assert.ok(moves > 0, "it moved at all");
});
