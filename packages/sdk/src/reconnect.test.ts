// SPDX-License-Identifier: Apache-2.0
// Many agents whose node is gone for a while, on a clock that only the test moves.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { createMemoryTransports } from "@fairlead/fabric/memory-transport.ts";
import { createTestHub } from "@fairlead/fabric/testing/open-hub.ts";
import { makeRandom } from "@fairlead/routing/testing/make-endpoints.ts";
import { Agent } from "./agent.ts";
import type { Environment } from "./environment.ts";

const AGENTS = 200;
const SLICE_MS = 250;

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

/** Lets what has begun come to rest: memory transports deliver in later turns. */
async function settle(isDone: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !isDone(); turn++)
    await new Promise((resolve) => setImmediate(resolve));
}

/** When each agent tried to reach its node, from when that was gone: tries in vain, and the one that found it. */
async function runOutage(
  outageMs: number,
): Promise<{ readonly vain: number[]; readonly found: number[] }> {
  const random = makeRandom(outageMs);
  const { hub, registry } = createTestHub();
  const sleepers = new Set<Sleeper>();
  let nowMs = 0;
  const [vain, found]: [number[], number[]] = [[], []];
  let isGone = false;
  const environment: Environment = {
    random,
    nowMs: () => nowMs,
    dialPeer: () => Promise.reject(new FabricError("unavailable", "there are no peers")),
    async dialNode() {
      (isGone ? vain : found).push(nowMs);
      if (isGone) throw new FabricError("unavailable", "the node is gone");
      const [near, far] = createMemoryTransports();
      hub.accept(far);
      return near;
    },
    sleep: (delayMs) => new Promise((wake) => void sleepers.add({ dueMs: nowMs + delayMs, wake })),
  };
  const agents = await Promise.all(
    Array.from({ length: AGENTS }, (_, i) => Agent.start(environment, { name: `a-${i}` })),
  );
  found.length = 0;
  isGone = true;
  hub.close();
  const joined = (): number => registry.list().length;
  await settle(() => sleepers.size === AGENTS);
  while (sleepers.size > 0) {
    const next = [...sleepers].reduce((one, other) => (other.dueMs < one.dueMs ? other : one));
    sleepers.delete(next);
    nowMs = next.dueMs;
    isGone = nowMs < outageMs;
    const [asleep, tries] = [sleepers.size, vain.length + found.length];
    next.wake();
    await settle(
      () =>
        vain.length + found.length > tries &&
        (isGone ? sleepers.size > asleep : joined() === found.length),
    );
  }
  assert.equal(joined(), AGENTS);
  for (const agent of agents) await agent[Symbol.asyncDispose]();
  hub.close();
  return { vain, found };
}

/** The most that fall into one slice of time. */
function crowdOf(times: readonly number[]): number {
  const slices = Map.groupBy(times, (atMs) => Math.floor(atMs / SLICE_MS));
  return Math.max(...[...slices.values()].map((all) => all.length));
}

test("agents come back spread over the time that their pauses have reached, and all of them do", async (t) => {
  for (const outageMs of [3_000, 30_000]) {
    const { vain, found } = await runOutage(outageMs);
    const backMs = Math.max(...found) - outageMs;
    t.diagnostic(
      `${outageMs} ms: ${vain.length / AGENTS} tries in vain each; all back after ${backMs.toFixed(0)} ms, at most ${crowdOf(found)} of ${AGENTS} in ${SLICE_MS} ms`,
    );
    assert.equal(found.length, AGENTS);
    assert.ok(backMs < 7_500, `${backMs} ms`);
    assert.ok(crowdOf(found) < AGENTS / 4, `${crowdOf(found)} at once`);
    // The pauses double, up to five seconds.
    assert.ok(vain.length < AGENTS * (8 + outageMs / 4_000), `${vain.length} tries in vain`);
  }
});
