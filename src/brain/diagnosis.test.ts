// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { InstanceFact } from "#model/facts.ts";
import type { RestartIntent } from "#model/intent.ts";
import { describeExit, diagnose } from "./diagnosis.ts";
import {
  buildEnded,
  buildFacts,
  buildInstance,
  buildMemory,
  buildService,
  NOW_MS,
} from "./testing/builders.ts";

describe("diagnose()", () => {
  const gap = { fromMs: NOW_MS - 60_000, toMs: NOW_MS - 50_000 };
  const facts = buildFacts([], { engineGap: gap });
  const judge = (
    instance: InstanceFact,
    policy: RestartIntent["policy"] = "always",
    memory = buildMemory(),
  ) => diagnose(instance, buildService({ restart: { policy } }), memory, facts);
  const endedAt = (finishedAtMs: number, parts: Partial<InstanceFact> = {}): InstanceFact =>
    buildEnded(137, { finishedAtMs, startedAtMs: gap.fromMs - 100_000, ...parts });

  test("blames nobody for what ended with the engine: 15 s before it went to 5 s after it came", () => {
    const cases: [number, string][] = [
      [gap.fromMs - 15_001, "failed"],
      [gap.fromMs - 15_000, "start"],
      [gap.toMs + 5_000, "start"],
      [gap.toMs + 5_001, "failed"],
    ];
    for (const [atMs, kind] of cases) assert.equal(judge(endedAt(atMs)).kind, kind, `${atMs}`);
  });

  test("blames what was started again since the engine is back", () => {
    const finishedAtMs = gap.toMs + 4_000;
    assert.equal(judge(endedAt(finishedAtMs, { startedAtMs: gap.toMs })).kind, "start");
    assert.equal(judge(endedAt(finishedAtMs, { startedAtMs: gap.toMs + 1 })).kind, "failed");
  });

  test("does not start after the engine what is not to be restarted, or was stopped by hand", () => {
    const ended = endedAt(gap.fromMs);
    assert.equal(judge(ended, "no").kind, "rests");
    assert.equal(judge({ ...ended, state: "dead" }).kind, "failed");
    const memory = buildMemory({ stoppedByHand: { [ended.id]: gap.fromMs } });
    assert.equal(judge(ended, "unless-stopped", memory).kind, "rests");
    assert.equal(judge(ended, "always", memory).kind, "start");
    const before = buildMemory({ stoppedByHand: { [ended.id]: ended.startedAtMs - 1 } });
    assert.equal(judge(ended, "unless-stopped", before).kind, "start");
    const same = buildMemory({ stoppedByHand: { [ended.id]: ended.startedAtMs } });
    assert.equal(judge(ended, "unless-stopped", same).kind, "rests");
  });

  test("tells what could not be started from what never was, with the engine's words or the code", () => {
    const made = buildInstance({ state: "created", startedAtMs: 0 });
    assert.equal(judge(made).kind, "start");
    const why = (parts: Partial<InstanceFact>): string => {
      const found = judge({ ...made, ...parts });
      return found.kind === "failed" ? found.trigger.detail : found.kind;
    };
    assert.equal(why({ error: "no such file" }), "could not be started: no such file");
    assert.equal(why({ error: "no", exitCode: 127 }), "could not be started: no");
    assert.equal(why({ exitCode: 127 }), "could not be started: code 127");
  });

  test("rests with what ended well where only failures are restarted", () => {
    for (const policy of ["default", "on-failure"] as const) {
      assert.deepEqual(
        [0, 1].map((code) => judge(buildEnded(code), policy).kind),
        ["rests", "failed"],
      );
    }
    const code = (exitCode: number) => judge(buildEnded(exitCode), "no");
    const [good, bad] = [code(0), code(1)];
    assert.ok(good.kind === "rests" && good.completed && bad.kind === "rests" && !bad.completed);
  });

  test("measures the run of what ended, and of what is ill up to now; never below 0", () => {
    const runOf = (instance: InstanceFact): number => {
      const found = judge(instance);
      return found.kind === "failed" ? found.runMs : -1;
    };
    assert.equal(runOf(buildEnded(1, {}, 7_000)), 7_000);
    assert.equal(runOf(buildEnded(1, {}, -5)), 0);
    assert.equal(runOf(buildInstance({ state: "created", startedAtMs: 0, error: "no" })), 0);
    assert.equal(runOf(buildInstance({ health: "unhealthy" })), 60_000);
    assert.equal(runOf(buildInstance({ health: "unhealthy", startedAtMs: NOW_MS + 9 })), 0);
  });
});

test("describeExit() says code, signal, memory and time", () => {
  assert.equal(describeExit(buildEnded(3, {}, 2_000)), "ended with code 3 after 2s");
  assert.equal(
    describeExit(buildEnded(137, { oomKilled: true }, 61_000)),
    "ran out of memory and ended with code 137 (killed, SIGKILL) after 1m1s",
  );
  const never = buildInstance({ state: "created", startedAtMs: 0 });
  assert.equal(describeExit(never), "could not be started");
  assert.equal(describeExit({ ...never, error: "no such file" }), "no such file");
});
