// SPDX-License-Identifier: Apache-2.0
// A dependency that fails altogether for half a minute, and comes back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Balancer } from "./balancer.ts";
import { STRATEGIES } from "./policy.ts";
import { RetryBudget } from "./retry-budget.ts";
import { makeEndpoints, makeRandom, readPolicy } from "./testing/make-endpoints.ts";

const CALLS_PER_MS = 1;
const FAULT_MS = 30_000;
const ATTEMPTS_MAX = 3;

/** One call in each moment; each is tried again as long as the budget has room. */
function runStorm(strategy: string): { readonly added: number; readonly lateFailures: number } {
  const policy = readPolicy(strategy);
  const balancer = new Balancer({ policy });
  const budget = new RetryBudget(policy.retryShare);
  const endpoints = makeEndpoints(10);
  const random = makeRandom(1);
  let [attempts, lateFailures] = [0, 0];
  for (let call = 0; call < (FAULT_MS + 2_000) * CALLS_PER_MS; call++) {
    const nowMs = call / CALLS_PER_MS;
    const failing = nowMs < FAULT_MS;
    budget.deposit();
    let answered = false;
    for (let attempt = 1; attempt <= ATTEMPTS_MAX && !answered; attempt++) {
      if (attempt > 1 && !budget.take()) break;
      const id = balancer.pick(endpoints, nowMs, random, { key: `k${call}` })?.id ?? "";
      balancer.started(id);
      balancer.ended(id, 2, failing ? "failed" : "ok", nowMs);
      if (failing) attempts++;
      answered = !failing;
    }
    if (!failing && !answered) lateFailures++;
  }
  return { added: attempts / (FAULT_MS * CALLS_PER_MS) - 1, lateFailures };
}

test("a failing service gets at most a tenth more calls, and every call is answered once it is well", () => {
  for (const name of STRATEGIES) {
    const { added, lateFailures } = runStorm(name === "hash" ? "hash:user" : name);
    assert.ok(added <= 0.101, `${name}: ${added}`);
    assert.equal(lateFailures, 0, name);
  }
});
