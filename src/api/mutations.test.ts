// SPDX-License-Identifier: Apache-2.0
// Bodies that somebody broke at random: taken by their schema whole, or refused with a problem; never a 500.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Problem } from "@fairlead/protocol/views.ts";
import { fuzz, mutate, pick, type RandomBelow } from "#compose/testing/mutate.ts";
import { createIntent, createPlan } from "./testing/fake-data.ts";
import { startApi, type TestApi } from "./testing/start-api.ts";

const HEADERS = { "content-type": "application/json" };
const ROUTES: Readonly<Record<string, readonly string[]>> = {
  "POST /v1/plans": [JSON.stringify({ intent: createIntent() })],
  "PUT /v1/scopes/shop/intent": [
    JSON.stringify({ intent: createIntent(), plan: createPlan("shop", 1, "web") }),
  ],
  "DELETE /v1/scopes/shop": ["{}", JSON.stringify({ volumes: true, dryRun: true, reason: "gone" })],
  "POST /v1/scopes/shop/actions": [
    JSON.stringify({ action: "restart", services: ["web"], reason: "why not" }),
    JSON.stringify({ action: "pause", services: [], forMs: 60_000 }),
  ],
  "PUT /v1/scopes/shop/replicas": [JSON.stringify({ replicas: { web: 3 }, dryRun: true })],
  "POST /v1/tokens": [JSON.stringify({ ttlMs: 600_000, uses: 2, endpoints: ["10.0.0.5:2379"] })],
  "POST /v1/nodes/node-b/actions": [JSON.stringify({ action: "drain", reason: "new disks" })],
  "POST /v1/scopes/shop/topology/plan": [JSON.stringify({ declaration: { kind: "ring" } }), "{}"],
};
const PIECES = [
  "{",
  "}",
  "[",
  "]",
  ":",
  ",",
  '"',
  "null",
  "-1",
  "1e999",
  '"__proto__":{},',
  "\\ud800",
  "\0",
  "\uFEFF",
];
const LEAVES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  0.5,
  1e300,
  99_999_999_999,
  "",
  "../x",
  "\0",
  "é",
  "shop",
  "__proto__",
  [],
  {},
  [[]],
  { constructor: 1 },
  "x".repeat(5_000),
  ["web", "web"],
];

/** The document with one value of it, at any depth, put in another's place or taken out. */
function replaceValue(document: unknown, random: RandomBelow): unknown {
  if (typeof document !== "object" || document === null || random(5) === 0)
    return LEAVES[random(LEAVES.length)];
  const entries = Object.entries(document);
  const at = random(entries.length + 1);
  const changed = entries.map(([key, value], i) => [
    key,
    i === at ? replaceValue(value, random) : value,
  ]);
  if (at === entries.length) changed.push([random(2) === 0 ? "force" : "__proto__", true]);
  else if (random(8) === 0) changed.splice(at, 1);
  return Array.isArray(document) ? changed.map(([, value]) => value) : Object.fromEntries(changed);
}

/** Method, path and body. */
function writeRequest(random: RandomBelow): string {
  const routes = Object.keys(ROUTES);
  const route = pick(random, routes);
  const bodies = ROUTES[route] ?? [];
  const body = pick(random, bodies);
  if (random(2) === 0) return `${route} ${JSON.stringify(replaceValue(JSON.parse(body), random))}`;
  return `${route} ${mutate(body, random, Object.values(ROUTES).flat(), PIECES)}`;
}

describe("a body broken at random", () => {
  let api: TestApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api[Symbol.asyncDispose]());

  test("is taken, or refused with a problem of its own and no operation called", (t) =>
    fuzz(t, 400, writeRequest, async (request) => {
      const [method = "", path = ""] = request.split(" ", 2);
      const body = request.slice(method.length + path.length + 2);
      api.fake.calls.length = 0;
      const reply = await api.unix(path, { method, headers: HEADERS, body });
      if (reply.status < 300) return true;
      const problem = Problem.parse(JSON.parse(reply.text));
      assert.ok(reply.status < 500, `${reply.status} ${problem.id} ${problem.detail}`);
      // A body that is right may ask for what does not hold, such as a plan of another state.
      if (problem.id.startsWith("FL07")) return true;
      assert.match(problem.id, /^FL05/);
      assert.deepEqual(api.fake.calls, []);
      return false;
    }));
});
