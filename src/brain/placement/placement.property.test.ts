// SPDX-License-Identifier: Apache-2.0
// Placement against a checker that knows nothing of how it is done: each rule once more, in the plainest words.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { buildOffer, buildRequest } from "#brain/testing/offers.ts";
import { parseConstraint } from "#model/constraint.ts";
import { planRebalance } from "./moves.ts";
import type { NodeOffer, Placement, PlaceRequest } from "./offer.ts";
import { placeServices } from "./place-services.ts";

const SSD = parseConstraint("node.labels.disk == ssd");
const NOT_X = parseConstraint("node.labels.zone != x");

const aNode = fc.record({
  labels: fc.record(
    {
      zone: fc.constantFrom("x", "y"),
      disk: fc.constantFrom("ssd", "hdd"),
      rack: fc.constantFrom("1", "2"),
    },
    { requiredKeys: [] },
  ),
  cpuMillis: fc.integer({ min: 0, max: 4_000 }),
  memoryBytes: fc.integer({ min: 0, max: 4_000 }),
  devices: fc.constantFrom<Record<string, number>>({}, {}, { gpu: 1 }, { gpu: 3, licence: 1 }),
  load: fc.double({ min: 0, max: 1, noNaN: true }),
  closed: fc.constantFrom("", "", "", "", "cordoned"),
  draining: fc.constantFrom(false, false, false, false, true),
  heldPorts: fc.constantFrom([], [], ["tcp/80"]),
});
const someNodes = fc
  .array(aNode, { minLength: 1, maxLength: 8 })
  .map((all) => all.map((more, at) => buildOffer(`n${at}`, more)));
const names = fc.subarray(["s/0", "s/1", "s/2", "s/3"], { maxLength: 2 });
const aRequest = fc.record({
  count: fc.integer({ min: 0, max: 10 }),
  everywhere: fc.constantFrom(false, false, false, false, true),
  cpuMillis: fc.constantFrom(0, 300, 1_000),
  memoryBytes: fc.constantFrom(0, 400, 1_500),
  devices: fc.constantFrom<Record<string, number>>({}, {}, {}, { gpu: 1 }, { licence: 1 }),
  strategy: fc.constantFrom("spread" as const, "spread" as const, "pack" as const),
  spreadOver: fc.constantFrom(
    [],
    [],
    ["node.labels.rack"],
    ["node.labels.zone", "node.labels.rack"],
  ),
  perNodeMax: fc.constantFrom(1, 2, Infinity),
  ports: fc.constantFrom([], [], [], ["tcp/80"], ["tcp/81"]),
  constraints: fc
    .constantFrom([], [SSD], [NOT_X], [SSD, NOT_X])
    .map((all) => all.flatMap((c) => c ?? [])),
  pins: fc.constantFrom([], [], [], [{ volume: "data", nodes: ["n0", "n1"] }]),
  near: names,
  apart: fc.constantFrom<readonly string[]>([], [], ["s/0"], ["s/3"]),
  priority: fc.integer({ min: 0, max: 2 }),
});
const someRequests = fc
  .array(aRequest, { maxLength: 5 })
  .map((all) => all.map((more, at) => buildRequest({ ...more, service: `s/${at}` })));

/** Gives each request a past: anywhere, also where it does not fit, and on a node that is gone. */
function stand(requests: readonly PlaceRequest[], picks: readonly number[], nodes: number) {
  return requests.map((request, at) => ({
    ...request,
    standing: picks.slice(at * 3, at * 3 + 3).map((pick) => `n${pick % (nodes + 1)}`),
  }));
}

const world = fc
  .tuple(someNodes, someRequests, fc.array(fc.nat(100), { maxLength: 15 }))
  .map(([nodes, requests, picks]) => ({ nodes, requests: stand(requests, picks, nodes.length) }));

interface Standing {
  readonly request: PlaceRequest;
  readonly node: string;
}

function list(requests: readonly PlaceRequest[], placements: readonly Placement[]): Standing[] {
  return placements.flatMap(({ nodes }, at) => {
    const request = requests[at];
    return request === undefined ? [] : nodes.map((node) => ({ request, node }));
  });
}

/** What is wrong with what stands on one node, in words; nothing when all is right. */
function listFaults(node: NodeOffer, here: readonly PlaceRequest[]): string[] {
  const faults: string[] = [];
  const sum = (of: (request: PlaceRequest) => number): number =>
    here.reduce((total, request) => total + of(request), 0);
  if (sum((one) => one.cpuMillis) > node.cpuMillis && here.some((one) => one.cpuMillis > 0))
    faults.push("processor");
  if (sum((one) => one.memoryBytes) > node.memoryBytes) faults.push("memory");
  for (const kind of ["gpu", "licence"])
    if (sum((one) => one.devices[kind] ?? 0) > (node.devices[kind] ?? 0)) faults.push(kind);
  if (here.length > 0 && node.draining) faults.push("draining");
  const ports = here.flatMap((one) => one.ports);
  if (new Set([...ports, ...node.heldPorts]).size < ports.length + node.heldPorts.length)
    faults.push("port");
  for (const one of here) {
    const alike = here.filter(({ service }) => service === one.service).length;
    if (alike > (one.everywhere ? 1 : one.perNodeMax)) faults.push("too many");
    if (one.constraints.includes(SSD ?? never()) && node.labels["disk"] !== "ssd")
      faults.push("ssd");
    if (one.constraints.includes(NOT_X ?? never()) && node.labels["zone"] === "x")
      faults.push("zone");
    if (one.pins.some(({ nodes }) => !nodes.includes(node.id))) faults.push("pin");
    const others = here.filter((other) => other !== one).map(({ service }) => service);
    const self = one.apart.includes(one.service) && alike > 1;
    if (self || one.apart.some((other) => other !== one.service && others.includes(other)))
      faults.push("apart");
  }
  return faults;
}

function never(): never {
  throw new Error("a constraint of this test cannot be parsed");
}

function check(nodes: readonly NodeOffer[], standing: readonly Standing[]): void {
  for (const node of nodes) {
    const here = standing.filter((one) => one.node === node.id).map(({ request }) => request);
    assert.deepEqual(listFaults(node, here), [], node.id);
  }
  for (const { node } of standing)
    assert.ok(
      nodes.some(({ id }) => id === node),
      node,
    );
}

/** How often each node is in a list. */
function count(nodes: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const node of nodes) counts.set(node, (counts.get(node) ?? 0) + 1);
  return counts;
}

const again = (requests: readonly PlaceRequest[], placements: readonly Placement[]) =>
  requests.map((request, at) => ({ ...request, standing: placements[at]?.nodes ?? [] }));

test("from any nodes, services and past: no rule is broken, and where one is missing no node would take it", () => {
  fc.assert(
    fc.property(world, ({ nodes, requests }) => {
      const placements = placeServices(nodes, requests);
      const standing = list(requests, placements);
      check(nodes, standing);
      for (const [at, placement] of placements.entries()) {
        const request = requests[at] ?? never();
        const fresh = count(placement.nodes.slice(placement.kept));
        for (const id of fresh.keys())
          assert.equal(nodes.find((node) => node.id === id)?.closed, "", "nothing new is closed");
        assert.equal(placement.kept + placement.left.length, request.standing.length);
        if (!request.everywhere)
          assert.equal(placement.nodes.length + placement.missing, request.count);
        const takers = nodes.filter((node) => {
          const here = standing.filter((one) => one.node === node.id).map((one) => one.request);
          return (
            node.closed === "" &&
            !node.draining &&
            listFaults(node, [...here, request]).length === 0
          );
        });
        if (placement.missing > 0 || request.everywhere)
          assert.deepEqual(takers, [], `${request.service} could stand there`);
        if (placement.missing > 0 && !request.everywhere)
          assert.equal(
            placement.refusals.reduce((sum, one) => sum + one.nodes, 0),
            nodes.length,
          );
      }
    }),
    { numRuns: 1_500 },
  );
});

test("what stands and breaks no rule stays where it is", () => {
  fc.assert(
    fc.property(world, ({ nodes, requests }) => {
      const first = placeServices(nodes, requests);
      const second = placeServices(nodes, again(requests, first));
      for (const [at, { nodes: where, left, kept }] of second.entries()) {
        assert.deepEqual(where.slice(0, kept), first[at]?.nodes);
        assert.deepEqual([left, kept], [[], where.length]);
      }
    }),
    { numRuns: 500 },
  );
});

test("the order of nodes, services and labels changes nothing", () => {
  fc.assert(
    fc.property(world, ({ nodes, requests }) => {
      const first = placeServices(nodes, requests);
      const turned = placeServices(
        nodes.toReversed().map((node) => ({
          ...node,
          labels: Object.fromEntries(Object.entries(node.labels).toReversed()),
        })),
        requests.toReversed(),
      ).toReversed();
      assert.deepEqual(turned, first);
    }),
    { numRuns: 500 },
  );
});

test("a node more moves nothing, and leaves nobody without a place who had one", () => {
  fc.assert(
    fc.property(world, aNode, ({ nodes, requests }, more) => {
      const first = placeServices(nodes, requests);
      const grown = [...nodes, buildOffer("n9", more)];
      for (const [at, placement] of placeServices(grown, again(requests, first)).entries()) {
        const had = first[at] ?? never();
        assert.deepEqual(placement.nodes.slice(0, had.nodes.length), had.nodes);
        assert.ok(requests[at]?.everywhere === true || placement.missing <= had.missing);
      }
    }),
    { numRuns: 500 },
  );
});

test("a node less moves only what stood on it", () => {
  fc.assert(
    fc.property(world, fc.nat(7), ({ nodes, requests }, pick) => {
      const first = placeServices(nodes, requests);
      const lost = nodes[pick % nodes.length]?.id ?? never();
      const rest = nodes.filter(({ id }) => id !== lost);
      for (const [at, placement] of placeServices(rest, again(requests, first)).entries()) {
        const had = first[at]?.nodes ?? [];
        assert.deepEqual(
          placement.nodes.slice(0, placement.kept),
          had.filter((id) => id !== lost),
        );
        assert.deepEqual(
          placement.left.map(({ reason }) => reason),
          had.filter((id) => id === lost).map(() => "gone"),
        );
      }
    }),
    { numRuns: 500 },
  );
});

test("moves for balance break no rule, one a service at a time, and come to an end", () => {
  fc.assert(
    fc.property(world, fc.integer({ min: 1, max: 3 }), ({ nodes, requests }, movesMax) => {
      let now = again(requests, placeServices(nodes.slice(0, 2), requests));
      now = again(now, placeServices(nodes, now));
      for (let pass = 0; ; pass++) {
        const moves = planRebalance(nodes, now, { movesMax, busy: new Set() });
        assert.ok(pass < 200, "it never ends");
        if (moves.length === 0) break;
        assert.ok(moves.length <= movesMax);
        assert.equal(new Set(moves.map(({ service }) => service)).size, moves.length);
        now = now.map((request) => {
          const move = moves.find(({ service }) => service === request.service);
          if (move === undefined) return request;
          const at = request.standing.indexOf(move.from);
          assert.ok(at >= 0 && move.from !== move.to);
          return { ...request, standing: request.standing.with(at, move.to) };
        });
        check(
          nodes,
          now.flatMap((request) => request.standing.map((node) => ({ request, node }))),
        );
      }
    }),
    { numRuns: 500 },
  );
});
