// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RouteExplanation } from "@fairlead/sdk";
import { renderRoute } from "./render-route.ts";
import { createStyle } from "./style.ts";

const candidate = { weight: 1, inFlight: 0, latencyMs: 0, breaker: "closed" } as const;
const route: RouteExplanation = {
  policy: "ewma eject=3",
  rule: "of two the quicker",
  unit: "ms",
  panic: false,
  source: "service",
  about: "web",
  nodes: { a: "one" },
  asOfMs: 1_500,
  candidates: [
    { ...candidate, id: "a", score: 12.34, latencyMs: 12.3 },
    { ...candidate, id: "b", score: 0, excluded: "is leaving" },
  ],
  choices: [{ atMs: 0, id: "a", score: 0, among: 1 }],
};

test("an explanation names the policy, its source, every candidate and why one was left out", () => {
  assert.deepEqual(renderRoute(route, createStyle(false, true)), [
    "calls to web: ewma eject=3, said by the service",
    "  of two the quicker",
    "  INSTANCE  NODE  SCORE         WEIGHT  CALLS  LATENCY  ASKED  LEFT OUT",
    "  a         one   12.34 ms      1       0      12ms     1      -",
    "  b         -     not measured  1       0      -        0      is leaving",
    "  1.5s ago: a, one of 1, at not measured",
  ]);
});

test("a panic and a policy that is not followed are said", () => {
  const lines = renderRoute(
    { ...route, panic: true, problem: '"emwa" is none', source: "default" },
    createStyle(false, true),
  );
  assert.deepEqual(lines.slice(0, 4), [
    "calls to web: ewma eject=3, the node's default",
    "  of two the quicker",
    '  not followed: "emwa" is none',
    "  too few are well, so all are used",
  ]);
});
