// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { FairleadError, isKind } from "#base/errors.ts";
import type { EngineInfo } from "#engine/engine.ts";
import { controlErrors } from "./errors.ts";
import { isMadeElsewhere, prepareSwarmNetwork } from "./swarm-network.ts";
import { NETWORK } from "./testing/overlay-node.ts";

const OVERLAY = { ...NETWORK, driver: "overlay" };

/** An engine of which only this is asked. */
function engineOf(swarmState: string, swarmManager: boolean) {
  const info = { swarmState, swarmManager } as EngineInfo;
  return { info: () => Promise.resolve(info) };
}

test("a manager's engine makes a network that containers may join, and others pass through", async () => {
  const made = await prepareSwarmNetwork(OVERLAY, engineOf("active", true));
  assert.deepEqual(made, { ...OVERLAY, attachable: true });
  assert.equal(await prepareSwarmNetwork(NETWORK, engineOf("inactive", false)), NETWORK);
});

test("an engine that is in no Swarm, is locked or is a worker is told apart", async () => {
  for (const [state, manager, kind] of [
    ["inactive", false, "swarm-away"],
    ["pending", false, "swarm-away"],
    ["error", false, "swarm-away"],
    ["locked", false, "swarm-locked"],
    ["active", false, "swarm-worker"],
  ] as const)
    await assert.rejects(prepareSwarmNetwork(OVERLAY, engineOf(state, manager)), (thrown) =>
      isKind(thrown, controlErrors[kind]),
    );
});

test("only a network of the Swarm may have been made by another engine", () => {
  const taken = new FairleadError(
    { ...controlErrors["swarm-away"], code: "already_exists" },
    "the name is taken",
  );
  assert.ok(isMadeElsewhere(OVERLAY, taken));
  assert.ok(!isMadeElsewhere(NETWORK, taken));
  assert.ok(!isMadeElsewhere(OVERLAY, new Error("else")));
});
