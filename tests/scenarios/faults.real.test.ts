// SPDX-License-Identifier: Apache-2.0
// The short form of `npm run faults`: three hosts, a client that calls all the time, one host that is cut off.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openGround } from "../faults/ground.ts";
import { hostLostBriefly } from "../faults/host-cases.ts";
import { renderOutcome, runCase } from "../faults/run-case.ts";

test("a client is answered rightly while a host is lost and comes back, and nothing is there twice in the end", async (t) => {
  await using ground = await openGround({ hosts: 3, rate: 20 });
  const outcome = await runCase(hostLostBriefly, ground);
  t.diagnostic(renderOutcome(outcome));
  // Times are for a machine that has nothing else to do: what must hold on any counts here.
  const isTime = (goal: string): boolean => goal.endsWith("s");
  const broken = outcome.figures.filter(({ goal, holds }) => !holds && !isTime(goal));
  assert.deepEqual(broken, []);
});
