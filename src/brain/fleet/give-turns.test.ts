// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Rolling, ScopeReport, Turns } from "@fairlead/protocol/assignment.ts";
import fc from "fast-check";
import { planReconcile } from "#brain/reconcile.ts";
import {
  buildInput,
  buildInstance,
  buildIntent,
  buildMemory,
  buildService,
  NOW_MS,
  SCOPE,
} from "#brain/testing/builders.ts";
import { buildNode, buildScope, type NodeParts } from "#brain/testing/fleet.ts";
import type { ServiceIntent } from "#model/intent.ts";
import { giveTurns } from "./give-turns.ts";
import type { FleetPicture } from "./picture.ts";

const NODES = ["a", "b", "c"];
const { update } = buildService();
const web = (parts: Partial<ServiceIntent["update"]> = {}): ServiceIntent =>
  buildService({ name: "web", replicas: 6, update: { ...update, parallelism: 1, ...parts } });

const ask = (...slots: number[]): Rolling => ({
  asks: slots.map((slot) => ({ slot, run: `run-${slot}` })),
  moving: [],
});
const moving = (...slots: number[]): Rolling => ({ asks: [], moving: slots });

interface Ground {
  readonly service?: ServiceIntent;
  readonly nodes?: readonly NodeParts[];
  readonly said: Readonly<Record<string, Rolling>>;
  readonly before?: Turns;
  readonly ageMs?: number;
}

function look({ service = web(), nodes, said, before, ageMs = 60_000 }: Ground): FleetPicture {
  const reports = Object.entries(said).map(([node, rolling]): [string, ScopeReport] => [
    node,
    { generation: 7, rolling: { web: rolling } },
  ]);
  const turns = before === undefined ? [] : [["web", { value: before, ageMs }] as const];
  const scope = buildScope(buildIntent([service]), {
    reports: new Map(reports),
    turns: new Map(turns),
  });
  const all = nodes ?? NODES.map((id) => ({ id }));
  return {
    nodes: new Map(all.map((parts) => [parts.id, buildNode(parts)])),
    scopes: new Map([[SCOPE, scope]]),
  };
}

/** `1@a 2@b`, or what is said besides. */
function give(ground: Ground): string {
  const [change] = giveTurns(look(ground));
  if (change === undefined) return "as it was";
  const { turns = [], failed } = change.turns ?? {};
  const drawn = turns.map(({ slot, node }) => `${slot}@${node}`).join(" ");
  return failed === undefined ? drawn : `${drawn} failed ${failed.hash}`.trim();
}

const held = (...turns: [slot: number, node: string][]): Turns => ({
  generation: 7,
  turns: turns.map(([slot, node]) => ({ slot, node, run: `run-${slot}` })),
});

describe("giveTurns()", () => {
  test("gives one slot of all nodes its turn, and the next once that is well", () => {
    assert.equal(give({ said: { a: ask(1, 4), b: ask(2, 5), c: ask(3) } }), "1@a");
    const before = held([1, "a"]);
    assert.equal(give({ said: { a: ask(1, 4), b: ask(2) }, before }), "as it was");
    const under = { a: { ...ask(4), moving: [1] }, b: ask(2) };
    assert.equal(give({ said: under, before }), "as it was");
    assert.equal(give({ said: { a: ask(4), b: ask(2) }, before }), "2@b");
    assert.equal(give({ said: { a: moving(), b: moving() }, before }), "");
  });

  test("gives as many as update_config.parallelism says, less those that are not well", () => {
    const service = web({ parallelism: 2 });
    assert.equal(give({ service, said: { a: ask(1, 4), b: ask(2, 5) } }), "1@a 2@b");
    assert.equal(give({ service, said: { a: ask(1, 4), b: ask(2), c: moving(3) } }), "1@a");
    assert.equal(give({ said: { a: ask(1), c: moving(3) } }), "as it was");
  });

  test("lets what is not well change: that takes nobody away", () => {
    assert.equal(give({ said: { a: { ...ask(1), moving: [1] }, b: ask(2) } }), "1@a");
  });

  test("waits for update_config.delay after the last one", () => {
    const service = web({ delayMs: 10_000 });
    const ground = { service, said: { b: ask(2) }, before: held() };
    assert.equal(give({ ...ground, ageMs: 9_999 }), "as it was");
    assert.equal(give({ ...ground, ageMs: 10_000 }), "2@b");
  });

  test("keeps the turn of a node that is not heard, and takes that of one that is gone", () => {
    const before = held([1, "a"]);
    const nodes = (standing: "suspect" | "gone") => [{ id: "a", standing }, { id: "b" }];
    assert.equal(give({ nodes: nodes("suspect"), said: { b: ask(2) }, before }), "as it was");
    assert.equal(give({ nodes: nodes("gone"), said: { b: ask(2) }, before }), "2@b");
  });

  test("says on all nodes that a change has failed on one", () => {
    const service = web();
    const failed = { hash: service.hash, reason: "ended with code 1" };
    const told = `failed ${service.hash}`;
    assert.equal(give({ service, said: { a: { ...moving(), failed } } }), told);
    const before = { ...held(), failed };
    assert.equal(give({ service, said: { a: moving() }, before }), "as it was");
    const other = { ...before, generation: 6 };
    assert.equal(give({ service, said: { a: moving() }, before: other }), "");
  });

  test("forgets services that nobody wants", () => {
    const picture = look({ service: buildService({ name: "db" }), said: {}, before: held() });
    assert.deepEqual(giveTurns(picture), [{ scope: SCOPE, service: "web", turns: undefined }]);
  });
});

/** One node of the model: runs of its slots, and what it has heard and said last. */
interface Host {
  readonly slots: readonly number[];
  readonly runs: Map<number, number>;
  readonly owed: Map<number, number>;
  readonly away: Map<number, number>;
  heard: Turns | undefined;
  said: Rolling;
}

test("never are more away than parallelism, however late nodes hear and say, and all get their turn", () => {
  const step = fc.record({
    kind: fc.constantFrom("restart", "lead", "hear", "say", "pass", "heal"),
    node: fc.nat({ max: 2 }),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 }),
      fc.array(step, { minLength: 200, maxLength: 300, size: "max" }),
      (parallelism, steps) => {
        const service = web({ parallelism });
        const hosts = NODES.map((_, index): Host => ({
          slots: [index + 1, index + 4],
          runs: new Map(),
          owed: new Map(),
          away: new Map(),
          heard: undefined,
          said: moving(),
        }));
        let turns: Turns | undefined;
        const runOf = (host: Host, slot: number): string => `${slot}.${host.runs.get(slot) ?? 0}`;
        const owes = (host: Host, slot: number): boolean =>
          host.owed.get(slot) === (host.runs.get(slot) ?? 0) && !host.away.has(slot);

        function act(kind: string, index: number): void {
          const host = hosts[index];
          const node = NODES[index];
          if (host === undefined || node === undefined) return;
          if (kind === "restart")
            for (const one of hosts)
              for (const slot of one.slots) one.owed.set(slot, one.runs.get(slot) ?? 0);
          if (kind === "hear") host.heard = turns;
          if (kind === "heal")
            for (const slot of host.away.keys()) {
              host.away.delete(slot);
              break;
            }
          if (kind === "say")
            host.said = {
              asks: host.slots
                .filter((slot) => owes(host, slot))
                .map((slot) => ({ slot, run: runOf(host, slot) })),
              moving: [...host.away.keys()],
            };
          if (kind === "pass")
            for (const slot of host.slots) {
              const mine = host.heard?.turns.some(
                (one) => one.node === node && one.slot === slot && one.run === runOf(host, slot),
              );
              if (mine !== true || !owes(host, slot)) continue;
              host.runs.set(slot, (host.runs.get(slot) ?? 0) + 1);
              host.away.set(slot, 1);
            }
          if (kind === "lead") {
            const said = Object.fromEntries(hosts.map((one, at) => [NODES[at] ?? "", one.said]));
            const before = turns === undefined ? {} : { before: turns };
            for (const change of giveTurns(look({ service, said, ...before })))
              turns = change.turns;
          }
          const away = hosts.reduce((sum, one) => sum + one.away.size, 0);
          assert.ok(away <= parallelism, `${away} are away`);
        }

        for (const { kind, node } of steps) act(kind, node);
        for (let round = 0; round < 40; round++)
          for (const kind of ["heal", "heal", "say", "lead", "hear", "pass"])
            for (const index of NODES.keys()) act(kind, index);
        for (const host of hosts)
          for (const slot of host.slots) assert.ok(!owes(host, slot), `${slot} waits for ever`);
      },
    ),
    { numRuns: 60 },
  );
});

describe("a node of a fleet", () => {
  const slots = [1, 3];
  const service = { ...web(), slots };
  const instances = slots.map((slot) =>
    buildInstance({ service: "web", slot, hash: service.hash }),
  );
  const startedAtMs = Object.fromEntries(instances.map((one) => [one.id, one.startedAtMs]));
  const memory = new Map([
    ["web", buildMemory({ restartRequested: { atMs: NOW_MS, startedAtMs } })],
  ]);
  const plan = (turns: ReadonlyMap<number, string>, failed?: { hash: string; reason: string }) =>
    planReconcile({
      ...buildInput([service], instances),
      memory,
      turns: new Map([["web", { slots: turns, failed }]]),
    });

  test("restarts nothing before its turn, asks for it, and restarts that run only", () => {
    const before = plan(new Map());
    assert.deepEqual(before.actions, []);
    const { asks = [] } = before.rolling?.["web"] ?? {};
    assert.deepEqual(
      asks.map(({ slot }) => slot),
      slots,
    );
    assert.match(before.waiting[0]?.reason ?? "", /parallelism is 1, on all nodes together/);
    const given = new Map([[3, asks[1]?.run ?? ""]]);
    assert.deepEqual(
      plan(given).actions.map(({ key }) => key),
      ["web/3"],
    );
    assert.deepEqual(plan(new Map([[3, "another run"]])).actions, []);
  });

  test("changes nothing more once the change has failed on another node", () => {
    const old = slots.map((slot) => buildInstance({ service: "web", slot, hash: "old" }));
    const said = { hash: service.hash, reason: "ended with code 1" };
    const input = { ...buildInput([service], old) };
    const asks = planReconcile({ ...input, turns: new Map() }).rolling?.["web"]?.asks ?? [];
    assert.equal(asks.length, 2);
    const turns = new Map([["web", { slots: new Map(), failed: said }]]);
    const after = planReconcile({ ...input, turns });
    assert.deepEqual(after.actions, []);
    assert.deepEqual(after.rolling?.["web"]?.asks, []);
    assert.match(after.waiting[0]?.reason ?? "", /the change failed: ended with code 1/);
  });
});
