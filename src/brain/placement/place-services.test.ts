// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { buildOffer, buildRequest } from "#brain/testing/offers.ts";
import { isAllowed, parseConstraint, type Constraint } from "#model/constraint.ts";
import type { NodeOffer, PlaceRequest } from "./offer.ts";
import { placeServices } from "./place-services.ts";

function constrain(...texts: readonly string[]): readonly Constraint[] {
  return texts.map((text) => {
    const constraint = parseConstraint(text);
    assert.ok(constraint !== undefined, text);
    return constraint;
  });
}

const place = (nodes: readonly NodeOffer[], more: Partial<PlaceRequest>) => {
  const [placement] = placeServices(nodes, [buildRequest(more)]);
  assert.ok(placement !== undefined);
  return placement;
};
const abc = [buildOffer("a"), buildOffer("b"), buildOffer("c")];

describe("constraints", () => {
  const node = buildOffer("n1", {
    hostName: "big",
    labels: { disk: "ssd" },
    engineLabels: { room: "2" },
  });
  for (const [text, allowed] of [
    ["node.labels.disk == ssd", true],
    ["node.labels.disk==hdd", false],
    ["node.labels.disk != hdd", true],
    ["node.labels.gone != x", true],
    ["node.labels.gone == x", false],
    ["engine.labels.room == 2", true],
    ["node.hostname == big", true],
    ["node.id != n1", false],
    ["node.platform.os == linux", true],
    ["node.platform.arch == amd64", true],
    ["node.platform.arch == arm64", false],
    ["node.labels.constructor == x", false],
    ["node.labels.disk == SSD", true],
    ["node.role == manager", true],
    ["node.role == worker", false],
    ["node.platform.arch != x86_64", false],
  ] as const)
    test(`${text} is ${allowed}`, () => {
      const [constraint] = constrain(text);
      assert.ok(constraint !== undefined);
      assert.equal(isAllowed(constraint, node), allowed);
    });
  for (const text of ["", "disk == ssd", "node.labels.a = b", "node.id =="])
    test(`"${text}" is no constraint`, () => assert.equal(parseConstraint(text), undefined));
});

describe("placing", () => {
  test("spreads over zones first, then over nodes", () => {
    const nodes = [
      ...["a1", "a2", "a3"].map((id) => buildOffer(id, { labels: { zone: "a" } })),
      buildOffer("b1", { labels: { zone: "b" } }),
    ];
    assert.deepEqual(place(nodes, { count: 4 }).nodes, ["a1", "b1", "a2", "b1"]);
  });

  test("what stands in a zone counts for it", () => {
    const nodes = [
      buildOffer("a", { labels: { zone: "a" } }),
      buildOffer("b", { labels: { zone: "b" } }),
    ];
    assert.deepEqual(place(nodes, { count: 2, standing: ["b"] }).nodes, ["b", "a"]);
  });

  test("spreads over any keys, the widest first; who lacks the label counts as one group", () => {
    const rack = (id: string, zone: string, number: string) =>
      buildOffer(id, { labels: { zone, ...(number === "" ? {} : { rack: number }) } });
    const nodes = [
      rack("a", "x", "1"),
      rack("b", "x", "1"),
      rack("c", "x", "2"),
      rack("d", "y", ""),
    ];
    const spreadOver = ["node.labels.zone", "node.labels.rack"];
    assert.deepEqual(place(nodes, { count: 6, spreadOver }).nodes, ["a", "d", "c", "d", "b", "d"]);
    const byRack = place(nodes, { count: 3, spreadOver: ["node.labels.rack"] });
    assert.deepEqual(byRack.nodes.toSorted(), ["a", "c", "d"]);
    const packed = { strategy: "pack", spreadOver: ["node.labels.zone"] } as const;
    assert.deepEqual(place(nodes, { count: 4, ...packed }).nodes, ["a", "d", "a", "d"]);
  });

  test("everywhere is one on each that takes it, and says only who lacks room", () => {
    const nodes = [
      buildOffer("a"),
      buildOffer("b", { memoryBytes: 1 }),
      buildOffer("c", { closed: "cordoned" }),
      buildOffer("d", { labels: { disk: "hdd" } }),
    ];
    const constraints = constrain("node.labels.disk != hdd");
    const {
      nodes: chosen,
      missing,
      refusals,
    } = place(nodes, {
      everywhere: true,
      memoryBytes: 2,
      constraints,
      standing: ["d", "a", "a"],
    });
    assert.deepEqual([chosen, missing], [["a"], 1]);
    assert.deepEqual(refusals, [
      { test: "memory", nodes: 1, examples: ["b"], short: { needs: 2, free: 1 } },
    ]);
  });

  test("of what is too many the crowded leave first, and what is on closed nodes before", () => {
    const standing = ["a", "a", "a", "b", "c"];
    assert.deepEqual(place(abc, { count: 3, standing }).nodes, ["a", "b", "c"]);
    const pack = { strategy: "pack", count: 3, standing: ["b", ...standing] } as const;
    assert.deepEqual(place(abc, pack).nodes, ["a", "a", "a"]);
    const closed = [buildOffer("a", { closed: "cordoned" }), buildOffer("b"), buildOffer("c")];
    assert.deepEqual(place(closed, { count: 2, standing: ["a", "b", "b"] }).nodes, ["b", "b"]);
  });

  test("what stands and no longer fits leaves for where it does", () => {
    const { nodes, left } = place(abc, { count: 2, cpuMillis: 3_000, standing: ["a", "a"] });
    assert.deepEqual(nodes, ["a", "b"]);
    assert.deepEqual(left, [{ node: "a", reason: "processor" }]);
  });

  test("packs onto as few as can hold them", () => {
    const { nodes } = place(abc, { count: 5, strategy: "pack", cpuMillis: 1_000 });
    assert.deepEqual(nodes, ["a", "a", "a", "a", "b"]);
  });

  test("the less busy one is taken first", () => {
    const nodes = [buildOffer("a", { load: 0.9 }), buildOffer("b", { load: 0.1 })];
    assert.deepEqual(place(nodes, {}).nodes, ["b"]);
  });

  test("one instance a node where a port is fixed, and none where it is held", () => {
    const nodes = [buildOffer("a", { heldPorts: ["tcp/80"] }), buildOffer("b"), buildOffer("c")];
    const { nodes: chosen, missing, refusals } = place(nodes, { count: 3, ports: ["tcp/80"] });
    assert.deepEqual([chosen, missing], [["b", "c"], 1]);
    assert.deepEqual(refusals, [{ test: "port tcp/80", nodes: 3, examples: ["a", "b", "c"] }]);
  });

  test("every refusal says which nodes failed which test", () => {
    const nodes = [
      buildOffer("a", { closed: "cordoned" }),
      buildOffer("b", { labels: { disk: "hdd" } }),
      buildOffer("c", { labels: { disk: "ssd" }, memoryBytes: 10 }),
      buildOffer("d", { labels: { disk: "ssd" }, draining: true }),
    ];
    const constraints = constrain("node.labels.disk == ssd");
    const { missing, refusals } = place(nodes, { constraints, memoryBytes: 100, count: 2 });
    assert.equal(missing, 2);
    assert.deepEqual(refusals, [
      { test: "constraint node.labels.disk == ssd", nodes: 2, examples: ["a", "b"] },
      { test: "draining", nodes: 1, examples: ["d"] },
      { test: "memory", nodes: 1, examples: ["c"], short: { needs: 100, free: 10 } },
    ]);
  });

  test("what stands stays, also where nothing new may go; draining moves it", () => {
    const cordoned = [buildOffer("a", { closed: "cordoned" }), buildOffer("b")];
    assert.deepEqual(place(cordoned, { count: 2, standing: ["a", "a"] }).nodes, ["a", "a"]);
    const draining = [buildOffer("a", { draining: true }), buildOffer("b")];
    const moved = place(draining, { count: 1, standing: ["a"] });
    assert.deepEqual(moved.nodes, ["b"]);
    assert.deepEqual(moved.left, [{ node: "a", reason: "draining" }]);
    assert.deepEqual(place(abc, { count: 1, standing: ["x"] }).left, [
      { node: "x", reason: "gone" },
    ]);
    assert.deepEqual(place(abc, { count: 1, standing: ["c", "b"] }).left, [
      { node: "b", reason: "not wanted any more" },
    ]);
  });

  test("a volume pins, gpus are counted, near and apart are heard", () => {
    assert.deepEqual(place(abc, { count: 2, pins: [{ volume: "data", nodes: ["c"] }] }).nodes, [
      "c",
      "c",
    ]);
    const gpu = [buildOffer("a"), buildOffer("b", { devices: { gpu: 1 } })];
    assert.deepEqual(place(gpu, { count: 2, devices: { gpu: 1 } }).nodes, ["b"]);
    const placements = placeServices(abc, [
      buildRequest({ service: "s/db", pins: [{ volume: "data", nodes: ["b"] }] }),
      buildRequest({ service: "s/cache", near: ["s/db"] }),
      buildRequest({ service: "s/batch", apart: ["s/db"], count: 3 }),
    ]);
    assert.deepEqual(
      placements.map(({ nodes }) => nodes),
      [["b"], ["b"], ["a", "c", "a"]],
    );
  });

  test("of two alike the one whose name comes first chooses first, in whatever order they are given", () => {
    const requests = ["s/a", "s/b"].map((service) => buildRequest({ service, cpuMillis: 1_000 }));
    for (const given of [requests, requests.toReversed()])
      assert.equal(
        placeServices(abc, given).find(({ service }) => service === "s/a")?.nodes[0],
        "a",
      );
  });

  test("a higher priority chooses first, and what stands before it all", () => {
    const one = [buildOffer("a", { cpuMillis: 1_000 })];
    const low = buildRequest({ service: "s/low", cpuMillis: 1_000 });
    const high = buildRequest({ service: "s/high", cpuMillis: 1_000, priority: 9 });
    assert.deepEqual(
      placeServices(one, [low, high]).map(({ nodes }) => nodes),
      [[], ["a"]],
    );
    assert.deepEqual(
      placeServices(one, [{ ...low, standing: ["a"] }, high]).map(({ nodes }) => nodes),
      [["a"], []],
    );
  });
});

const aNode = (id: string) =>
  fc
    .record({
      cpuMillis: fc.integer({ min: 0, max: 4_000 }),
      memoryBytes: fc.integer({ min: 0, max: 4_000 }),
      load: fc.double({ min: 0, max: 1, noNaN: true }),
      closed: fc.constantFrom("", "", "", "cordoned"),
      draining: fc.constantFrom(false, false, false, true),
      labels: fc.constantFrom<Record<string, string>>(
        {},
        { disk: "ssd" },
        { zone: "x" },
        { zone: "y", disk: "ssd" },
      ),
      heldPorts: fc.constantFrom([], ["tcp/80"]),
    })
    .map((more) => buildOffer(id, more));
const someNodes = fc
  .integer({ min: 1, max: 8 })
  .chain((size) => fc.tuple(...Array.from({ length: size }, (_, index) => aNode(`n${index}`))));
const aRequest = fc
  .record({
    count: fc.integer({ min: 0, max: 12 }),
    cpuMillis: fc.integer({ min: 0, max: 1_000 }),
    memoryBytes: fc.integer({ min: 0, max: 1_000 }),
    strategy: fc.constantFrom("spread", "pack"),
    perNodeMax: fc.constantFrom(1, 2, 1_000),
    ports: fc.constantFrom([], ["tcp/80"]),
    constraints: fc.constantFrom([], constrain("node.labels.disk == ssd")),
    apart: fc.constantFrom([], ["s/0"]),
    priority: fc.integer({ min: 0, max: 2 }),
  })
  .map((more) => more as Partial<PlaceRequest>);
const someRequests = fc.array(aRequest, { maxLength: 5 }).map((all) =>
  all.map((more, index) =>
    buildRequest({
      ...more,
      service: `s/${index}`,
      apart: index === 0 ? [] : (more.apart ?? []),
    }),
  ),
);

test("from any nodes and services: nothing is broken, and what finds no place says why", () => {
  fc.assert(
    fc.property(someNodes, someRequests, (nodes, requests) => {
      const placements = placeServices(nodes, requests);
      for (const node of nodes) {
        const here = requests.flatMap((request, index) =>
          (placements[index]?.nodes ?? []).filter((id) => id === node.id).map(() => request),
        );
        const sum = (pick: (request: PlaceRequest) => number): number =>
          here.reduce((total, request) => total + pick(request), 0);
        assert.ok(sum(({ cpuMillis }) => cpuMillis) <= node.cpuMillis);
        assert.ok(sum(({ memoryBytes }) => memoryBytes) <= node.memoryBytes);
        assert.ok(here.length === 0 || (node.closed === "" && !node.draining));
        const ports = [...node.heldPorts, ...here.flatMap((request) => request.ports)];
        assert.equal(new Set(ports).size, ports.length);
        for (const request of here) {
          assert.ok(request.constraints.every((constraint) => isAllowed(constraint, node)));
          assert.ok(
            here.filter(({ service }) => service === request.service).length <= request.perNodeMax,
          );
        }
      }
      for (const [index, { nodes: chosen, missing, refusals }] of placements.entries()) {
        assert.equal(chosen.length + missing, requests[index]?.count);
        const refused = refusals.reduce((total, refusal) => total + refusal.nodes, 0);
        assert.equal(refused, missing > 0 ? nodes.length : 0);
        assert.ok(!refusals.some(({ test: name }) => name === "fits"));
      }
    }),
    { numRuns: 500 },
  );
});

test("placed again nothing moves, and the order of the nodes does not matter", () => {
  fc.assert(
    fc.property(someNodes, someRequests, (nodes, requests) => {
      const first = placeServices(nodes, requests);
      assert.deepEqual(placeServices(nodes.toReversed(), requests), first);
      const again = placeServices(
        nodes,
        requests.map((request, index) => ({ ...request, standing: first[index]?.nodes ?? [] })),
      );
      for (const [index, { nodes: chosen, kept, left }] of again.entries()) {
        assert.deepEqual(chosen.slice(0, kept), first[index]?.nodes);
        assert.deepEqual(left, []);
      }
    }),
    { numRuns: 300 },
  );
});

test("where all nodes are alike, no zone and no node has two more than another", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.nat(40), fc.nat(3), (zones, count, already) => {
      const nodes = Array.from({ length: zones * 3 }, (_, index) =>
        buildOffer(`n${index}`, { labels: { zone: `z${index % zones}` } }),
      );
      const standing = Array.from({ length: Math.min(already, count) }, (_, i) => `n${i}`);
      const { nodes: chosen } = place(nodes, { count, standing: zones > 2 ? standing : [] });
      for (const key of [(id: string) => id, (id: string) => `${Number(id.slice(1)) % zones}`]) {
        const counts = new Map(nodes.map(({ id }) => [key(id), 0]));
        for (const id of chosen) counts.set(key(id), (counts.get(key(id)) ?? 0) + 1);
        assert.ok(Math.max(...counts.values()) - Math.min(...counts.values()) <= 1);
      }
    }),
    { numRuns: 200 },
  );
});
