// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Assignment, ScopeReport } from "@fairlead/protocol/assignment.ts";
import { PLACEMENT_DEFAULT } from "@fairlead/protocol/intent.ts";
import fc from "fast-check";
import { buildIntent, buildService, SCOPE } from "#brain/testing/builders.ts";
import { buildNode, buildReport, buildScope, type NodeParts } from "#brain/testing/fleet.ts";
import type { Intent } from "#model/intent.ts";
import { assignScopes } from "./assign-scopes.ts";
import { narrowIntent, widenIntent } from "./narrow-intent.ts";
import type { FleetPicture, FleetScope } from "./picture.ts";

const web = (parts = {}) => buildService({ name: "web", replicas: 3, ...parts });

interface Ground {
  readonly nodes: readonly NodeParts[];
  readonly intent: Intent;
  readonly before?: Assignment | undefined;
  readonly reports?: Readonly<Record<string, ScopeReport>>;
  readonly scope?: Partial<FleetScope>;
}

function picture({ nodes, intent, before, reports = {}, scope }: Ground): FleetPicture {
  const one = buildScope(intent, {
    assignment: before,
    reports: new Map(Object.entries(reports)),
    ...scope,
  });
  return {
    nodes: new Map(nodes.map((parts) => [parts.id, buildNode(parts)])),
    scopes: new Map([[SCOPE, one]]),
  };
}

/** What is assigned after one look; what was, when nothing is to be written. */
function assign(ground: Ground): Assignment {
  const [change] = assignScopes(picture(ground));
  if (change === undefined) {
    assert.ok(ground.before !== undefined);
    return ground.before;
  }
  assert.ok(change.draft !== undefined);
  return { ...change.draft, fence: 1 };
}

/** `1@a 2@b<c`: slots, where they stand and where they were. */
function draw({ services }: Assignment, service = "web"): string {
  return (services[service] ?? [])
    .map(({ slot, node, from = [] }) => `${slot}@${node}${from.map((id) => `<${id}`).join("")}`)
    .join(" ");
}

const abc = [{ id: "a" }, { id: "b" }, { id: "c" }] as const;
const without = (id: string, standing: NodeParts["standing"] = "gone") =>
  abc.map((node) => (node.id === id ? { ...node, standing } : node));
const intent = buildIntent([web()]);
const spread = assign({ nodes: abc, intent });

describe("assignScopes()", () => {
  test("who asks for a device stands where the node says that it has one", () => {
    const placement = { ...PLACEMENT_DEFAULT, devices: { gpu: 1 } };
    const wanted = buildIntent([web({ replicas: 2, placement })]);
    const nodes = [{ id: "a" }, { id: "b", devices: { gpu: 2 } }, { id: "c" }];
    assert.equal(draw(assign({ nodes, intent: wanted })), "1@b 2@b");
  });

  test("spreads, and says nothing when all is as it should be", () => {
    assert.equal(draw(spread), "1@a 2@b 3@c");
    assert.deepEqual(assignScopes(picture({ nodes: abc, intent, before: spread })), []);
  });

  test("what a store has lost is placed where it runs, once each node has said what it has", () => {
    const found = { a: buildReport("web", [2]), c: buildReport("web", [1, 3]) };
    const draft = (nodes: readonly NodeParts[], restored = true): string | undefined => {
      const scope = buildScope(intent, { reports: new Map(Object.entries(found)) });
      const [change] = assignScopes({
        nodes: new Map(nodes.map((parts) => [parts.id, buildNode(parts)])),
        scopes: new Map([[SCOPE, { ...scope, lostMs: restored ? 20_000 : undefined }]]),
      });
      return change?.draft && draw({ ...change.draft, fence: 1 });
    };
    const late = (parts: Partial<NodeParts>) => [...abc.slice(0, 2), { id: "c", ...parts }];
    assert.equal(draft(abc), "1@c 2@a 3@c");
    assert.equal(draft(late({ upMs: 4_999 })), undefined);
    assert.equal(draft(late({ silent: true, awayMs: 14_999 })), undefined);
    assert.equal(draft(late({ silent: true, awayMs: 15_000 })), "1@c 2@a 3@c");
    assert.equal(draft(late({ upMs: 1 }), false), "1@c 2@a 3@c");
  });

  test("what a node has whose engine does not answer is given up after a while, but for singletons and what stays", () => {
    const after = (ailingMs: number, parts = {}): string => {
      const nodes = abc.map((node) => (node.id === "c" ? { ...node, ailingMs } : node));
      return draw(assign({ nodes, intent: buildIntent([web(parts)]), before: spread }));
    };
    assert.equal(after(29_999), "1@a 2@b 3@c");
    assert.equal(after(30_000), "1@a 2@b 3@a<c");
    assert.equal(after(9_999, { failover: "eager" }), "1@a 2@b 3@c");
    assert.equal(after(10_000, { failover: "eager" }), "1@a 2@b 3@a<c");
    assert.equal(after(3_600_000, { failover: "stay" }), "1@a 2@b 3@c");
    assert.equal(after(3_600_000, { singleton: true }), "1@a 2@b 3@c");
    const ill = [{ id: "a" }, { id: "b", ailingMs: 1 }];
    assert.equal(draw(assign({ nodes: ill, intent })), "1@a 2@a 3@a");
  });

  test("a node that is gone gives its slots to others, and nothing else moves", () => {
    const moved = assign({ nodes: without("c"), intent, before: spread });
    assert.equal(draw(moved), "1@a 2@b 3@a<c");
    assert.equal(draw(assign({ nodes: abc, intent, before: moved })), "1@a 2@b 3@a<c");
  });

  test("once it is well where it is, it is no longer where it was", () => {
    const moved = assign({ nodes: without("c"), intent, before: spread });
    const reports = { a: buildReport("web", [3]), c: buildReport("web", [3]) };
    assert.equal(draw(assign({ nodes: abc, intent, before: moved, reports })), "1@a 2@b 3@a");
  });

  test("what did not come up elsewhere goes back to where it runs well", () => {
    const moved = assign({ nodes: without("c"), intent, before: spread });
    const reports = { c: buildReport("web", [3]) };
    assert.equal(draw(assign({ nodes: abc, intent, before: moved, reports })), "1@a 2@b 3@c");
  });

  test("suspicion moves nothing, but what is eager", () => {
    const nodes = without("b", "suspect");
    assert.deepEqual(assignScopes(picture({ nodes, intent, before: spread })), []);
    const eager = buildIntent([web({ failover: "eager" })]);
    assert.equal(draw(assign({ nodes, intent: eager, before: spread })), "1@a 2@a<b 3@c");
  });

  test("a node that said that it leaves for a while loses nothing, also not what is eager", () => {
    const eager = buildIntent([web({ failover: "eager" })]);
    for (const silent of [false, true]) {
      const nodes = abc.map((node) =>
        node.id === "b" ? { ...node, standing: "away" as const, silent } : node,
      );
      assert.deepEqual(assignScopes(picture({ nodes, intent: eager, before: spread })), []);
      const fresh = assign({ nodes, intent: eager });
      assert.ok(
        fresh.services["web"]?.every(({ node }) => node !== "b"),
        "nothing new goes there",
      );
    }
  });

  test("what is to stay stays, also on a node that is gone", () => {
    const stay = buildIntent([web({ failover: "stay" })]);
    assert.deepEqual(
      assignScopes(picture({ nodes: without("c"), intent: stay, before: spread })),
      [],
    );
  });

  test("a node that drains is left, and left running until it is well elsewhere", () => {
    const nodes = abc.map((node) => (node.id === "a" ? { ...node, draining: true } : node));
    assert.equal(draw(assign({ nodes, intent, before: spread })), "1@b<a 2@b 3@c");
  });

  test("a cordoned node takes nothing new and keeps what it has", () => {
    const nodes = abc.map((node) => (node.id === "a" ? { ...node, schedulable: false } : node));
    assert.equal(draw(assign({ nodes, intent })), "1@b 2@c 3@b");
    assert.deepEqual(assignScopes(picture({ nodes, intent, before: spread })), []);
  });

  test("fewer replicas let go of the highest slots, more take the lowest free", () => {
    const fewer = assign({
      nodes: abc,
      intent: buildIntent([web({ replicas: 1 })]),
      before: spread,
    });
    assert.equal(draw(fewer), "1@a");
    const more = assign({ nodes: abc, intent: buildIntent([web({ replicas: 4 })]), before: fewer });
    assert.equal(draw(more), "1@a 2@b 3@c 4@a");
  });

  test("what no node takes stays where it was, and it is said why", () => {
    const picky = buildIntent([web({ constraints: ["node.labels.disk == ssd"] })]);
    const kept = assign({ nodes: without("c"), intent: picky, before: spread });
    assert.equal(draw(kept), "1@a 2@b 3@c");
    assert.deepEqual(kept.missing[0]?.slots, [1, 2, 3]);
    assert.match(kept.missing[0]?.why ?? "", /constraint node\.labels\.disk == ssd/);
    const nowhere = assign({ nodes: abc, intent: picky });
    assert.equal(draw(nowhere), "");
    assert.deepEqual(nowhere.missing[0]?.slots, [1, 2, 3]);
  });

  test("what was there before the fleet stays where it is found", () => {
    const reports = { c: buildReport("web", [1, 2]) };
    assert.equal(draw(assign({ nodes: abc, intent, reports })), "1@c 2@c 3@a");
  });

  test("a node that has not said what it has, or does not reach the store, keeps what it has", () => {
    const nodes = abc.map((node) => (node.id === "b" ? { ...node, silent: true } : node));
    assert.deepEqual(assignScopes(picture({ nodes, intent, before: spread })), []);
    assert.equal(draw(assign({ nodes, intent })), "1@a 2@c 3@a");
  });

  test("who shares a namespace stands beside the other, wherever that goes", () => {
    const sidecar = web({ name: "log", network: { kind: "service", service: "web" } });
    const both = buildIntent([web(), sidecar]);
    const placed = assign({ nodes: abc, intent: both });
    assert.equal(draw(placed, "log"), draw(placed));
    const moved = assign({ nodes: without("b"), intent: both, before: placed });
    assert.equal(draw(moved, "log"), "1@a 2@a<b 3@c");
  });

  test("a service with a local volume stays with its data", () => {
    const volume = {
      key: "data",
      name: "shop_data",
      external: false,
      options: {},
      labels: {},
      hash: "data-v1",
    };
    const db = web({ name: "db", replicas: 1, volumes: ["data"] });
    const stateful = buildIntent([db], { volumes: [volume] });
    const placed = assign({ nodes: abc, intent: stateful });
    assert.equal(draw(placed, "db"), "1@a");
    const after = assign({ nodes: without("a"), intent: stateful, before: placed });
    assert.equal(draw(after, "db"), "1@a");
    assert.match(after.missing[0]?.why ?? "", /shop_data/);
  });

  test("a singleton waits until its node has surely stopped it, and then for nobody", () => {
    const one = web({ name: "web", replicas: 1, singleton: true, failover: "eager" });
    const single = buildIntent([one]);
    const placed = assign({ nodes: abc, intent: single });
    const lost = (standing: "suspect" | "gone", awayMs: number) =>
      abc.map((node) => (node.id === "a" ? { ...node, standing, awayMs } : node));
    const after = (standing: "suspect" | "gone", awayMs: number) =>
      assign({ nodes: lost(standing, awayMs), intent: single, before: placed });
    assert.equal(draw(after("suspect", 60_000)), "1@a");
    assert.equal(draw(after("gone", 14_999)), "1@a");
    const moved = after("gone", 15_000);
    const settled = assign({ nodes: lost("gone", 16_000), intent: single, before: moved });
    assert.equal(draw(settled), "1@b");
    assert.deepEqual(narrowIntent(single, settled, "b"), single);
    assert.equal(narrowIntent(single, settled, "a"), undefined);
  });

  test("a singleton that drains stops before it starts elsewhere", () => {
    const one = web({ name: "web", replicas: 1, singleton: true });
    const single = buildIntent([one]);
    const placed = assign({ nodes: abc, intent: single });
    const nodes = abc.map((node) => (node.id === "a" ? { ...node, draining: true } : node));
    const reports = { a: buildReport("web", [1]) };
    const moving = assign({ nodes, intent: single, before: placed, reports });
    assert.equal(draw(moving), "1@b<a");
    assert.equal(narrowIntent(single, moving, "a"), undefined);
    assert.equal(narrowIntent(single, moving, "b"), undefined);
    assert.equal(draw(assign({ nodes, intent: single, before: moving, reports })), "1@b<a");
    const stopped = { a: { generation: 7 } };
    assert.equal(draw(assign({ nodes, intent: single, before: moving, reports: stopped })), "1@b");
  });

  test("a singleton does not go by what a node said before it knew that it leaves", () => {
    const single = buildIntent([web({ name: "web", replicas: 1, singleton: true })]);
    const placed = assign({ nodes: abc, intent: single });
    const nodes = abc.map((node) => (node.id === "a" ? { ...node, draining: true } : node));
    const before = assign({ nodes, intent: single, before: placed });
    const after = (taken: number | undefined): string => {
      const reports = { a: { generation: 7, ...(taken === undefined ? {} : { taken }) } };
      return draw(assign({ nodes, intent: single, before, reports, scope: { assignedAt: 9 } }));
    };
    assert.equal(after(undefined), "1@b<a");
    assert.equal(after(8), "1@b<a");
    assert.equal(after(9), "1@b");
  });

  test("what the store has lost is placed once all have had the time to say what they have", () => {
    const single = buildIntent([
      web({ name: "web", replicas: 1, singleton: true, stopGraceMs: 1_000 }),
    ]);
    const look = (nodes: readonly NodeParts[], lostMs: number, of: Intent = single) =>
      assignScopes(picture({ nodes, intent: of, scope: { lostMs } })).length;
    assert.equal(look(abc, 9_999, intent), 0);
    assert.equal(look(abc, 10_000, intent), 1);
    // A singleton may run where nobody hears of it until its lease has ended, and while it stops.
    assert.equal(look(abc, 15_999), 0);
    assert.equal(look(abc, 16_000), 1);
    const cut = (parts: Partial<NodeParts>) =>
      abc.map((node) => (node.id === "a" ? { ...node, ...parts } : node));
    assert.equal(look(cut({ silent: true, standing: "gone", awayMs: 5_999 }), 60_000), 0);
    assert.equal(look(cut({ silent: true, standing: "gone", awayMs: 6_000 }), 60_000), 1);
    assert.equal(look(cut({ standing: "suspect" }), 60_000), 0);
    const mute = abc.map((node) => ({ ...node, silent: true, awayMs: 60_000 }));
    assert.equal(look(mute, 60_000), 0, "nobody has said anything");
  });

  test("a global service stands once on each node, and not on those that are gone", () => {
    const everywhere = { ...web().placement, everywhere: true };
    const all = buildIntent([web({ replicas: 1, placement: everywhere })]);
    const placed = assign({ nodes: abc, intent: all });
    assert.equal(draw(placed), "1@a 2@b 3@c");
    const two = assign({ nodes: without("b"), intent: all, before: placed });
    assert.equal(draw(two), "1@a 3@c");
    assert.equal(draw(assign({ nodes: abc, intent: all, before: two })), "1@a 2@b 3@c");
  });

  test("a scope that is down is forgotten once each node that is there has said so", () => {
    const removal = { volumes: false };
    const scope = { wanted: { ...buildScope(intent).wanted, removal }, generation: 9 };
    const down = (reports: Record<string, ScopeReport>, nodes: readonly NodeParts[] = abc) =>
      assignScopes(picture({ nodes, intent, before: spread, reports, scope }));
    const done = { generation: 9 };
    assert.deepEqual(down({ a: done, b: done }), []);
    assert.deepEqual(down({ a: done, b: done, c: buildReport("web", [3], 9) }), []);
    const forgotten = [{ scope: SCOPE, draft: undefined }];
    assert.deepEqual(down({ a: done, b: done, c: done }), forgotten);
    assert.deepEqual(down({ a: done, b: done }, without("c")), forgotten);
    const all = { a: done, b: done, c: done };
    const four = [...abc, { id: "d" }];
    for (const generation of [8, 9])
      assert.deepEqual(down({ ...all, d: buildReport("web", [2], generation) }, four), []);
    assert.deepEqual(down({ ...all, d: buildReport("web", [2], 0) }, four), forgotten);
    const gone = [...abc, { id: "d", standing: "gone" as const }];
    assert.deepEqual(down({ ...all, d: buildReport("web", [2], 9) }, gone), forgotten);
  });

  test("one that is to go with its volumes is not down while a node that may live has any, with or without instances", () => {
    const down = (volumes: boolean, nodes: readonly NodeParts[]) => {
      const wanted = { ...buildScope(buildIntent([])).wanted, removal: { volumes } };
      return assignScopes(picture({ nodes, intent: buildIntent([]), scope: { wanted } }));
    };
    const forgotten = [{ scope: SCOPE, draft: undefined }];
    const data = { [SCOPE]: ["shop_data"] };
    assert.deepEqual(down(true, [{ id: "a" }, { id: "b", volumes: data }]), []);
    assert.deepEqual(down(true, [{ id: "a", standing: "suspect", volumes: data }]), []);
    assert.deepEqual(down(true, [{ id: "a", standing: "gone", volumes: data }]), forgotten);
    assert.deepEqual(down(true, [{ id: "a", volumes: { other: ["other_data"] } }]), forgotten);
    assert.deepEqual(down(false, [{ id: "a", volumes: data }]), forgotten);
  });
});

const standings = fc.constantFrom("up", "up", "up", "away", "suspect", "gone") as fc.Arbitrary<
  "up" | "away" | "suspect" | "gone"
>;

test("whatever happens to nodes and replicas: each slot stands once, nothing that fits moves, and it comes to rest", () => {
  const round = fc.record({
    standings: fc.tuple(standings, standings, standings, standings),
    replicas: fc.integer({ min: 0, max: 6 }),
    failover: fc.constantFrom(undefined, "eager" as const, "stay" as const),
  });
  fc.assert(
    fc.property(fc.array(round, { minLength: 1, maxLength: 8 }), (rounds) => {
      let before: Assignment | undefined;
      for (const { standings: of, replicas, failover } of rounds) {
        const nodes = of.map((standing, index) => ({ id: "abcd"[index] ?? "", standing }));
        const wanted = buildIntent([web({ replicas, ...(failover && { failover }) })]);
        const next: Assignment = assign({ nodes, intent: wanted, before });
        const slots = next.services["web"] ?? [];
        assert.equal(new Set(slots.map(({ slot }) => slot)).size, slots.length);
        assert.ok(slots.every(({ slot }) => slot <= replicas));
        const lacking = next.missing.flatMap((one) => one.slots);
        const up = nodes.some(({ standing }) => standing === "up");
        if (up && failover !== "stay") assert.deepEqual(lacking, []);
        for (const was of before?.services["web"] ?? []) {
          const now = slots.find(({ slot }) => slot === was.slot);
          const standing = nodes.find(({ id }) => id === was.node)?.standing;
          if (standing === "up" && now !== undefined) assert.equal(now.node, was.node);
          if (was.slot <= replicas) assert.ok(now !== undefined, "nothing assigned is lost");
        }
        assert.deepEqual(assignScopes(picture({ nodes, intent: wanted, before: next })), []);
        before = next;
      }
    }),
    { numRuns: 200 },
  );
});

describe("narrowIntent()", () => {
  test("one that has all of it gets the intent as it is", () => {
    assert.equal(narrowIntent(intent, assign({ nodes: [{ id: "a" }], intent }), "a"), intent);
  });

  test("each gets its slots, where it stood before those too, and who has none nothing", () => {
    const moved = assign({ nodes: without("c"), intent, before: spread });
    const slotsOf = (node: string) => narrowIntent(intent, moved, node)?.services[0]?.slots;
    assert.deepEqual([slotsOf("a"), slotsOf("b"), slotsOf("c")], [[1, 3], [2], [3]]);
    assert.equal(narrowIntent(intent, moved, "d"), undefined);
    assert.deepEqual(widenIntent(narrowIntent(intent, moved, "b") ?? intent), intent);
  });
});
