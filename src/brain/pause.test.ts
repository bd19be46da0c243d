// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findPauseEnd } from "./pass.ts";
import { planPause, rememberPause } from "./pause.ts";
import { makePlanOf } from "./plan.ts";
import { buildInput, buildMemory, buildService, NOW_MS } from "./testing/builders.ts";

const SERVICES = [buildService({ name: "web" }), buildService({ name: "db" })];

describe("planPause()", () => {
  test("makes one act a service, which says how long and what is not done meanwhile", () => {
    const input = buildInput(SERVICES, []);
    const acts = planPause(input, ["db"], { kind: "pause", forMs: 600_000 });
    assert.deepEqual(
      acts.map(({ act, service, title, rule }) => [act, service, title, rule.text]),
      [["service.pause", "db", "paused automation of db", "pause for 10m"]],
    );
    assert.match(acts[0]?.notDone[0]?.what ?? "", /heal or change db/);
    const [step] = makePlanOf(input, acts, "pl_1").steps;
    assert.equal(step?.because, "automation is to rest for 10m");
  });

  test("resumes only what is paused now", () => {
    const paused = (pausedUntilMs: number) => buildMemory({ pausedUntilMs });
    const memories = { web: paused(NOW_MS + 1), db: paused(NOW_MS) };
    const acts = planPause(buildInput(SERVICES, [], { memories }), ["web", "db"], {
      kind: "resume",
    });
    assert.deepEqual(
      acts.map(({ act, service }) => [act, service]),
      [["service.resume", "web"]],
    );
  });
});

test("rememberPause() sets an end, or none until it is resumed", () => {
  const before = buildMemory();
  const forTen = rememberPause({ kind: "pause", forMs: 10 }, NOW_MS)(before);
  assert.equal(findPauseEnd(forTen, NOW_MS), NOW_MS + 10);
  const open = rememberPause({ kind: "pause" }, NOW_MS)(before);
  assert.equal(findPauseEnd(open, NOW_MS + 1e12), Number.MAX_SAFE_INTEGER);
  assert.deepEqual(rememberPause({ kind: "resume" }, NOW_MS)(open), before);
});
