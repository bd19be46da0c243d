// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Decision } from "@fairlead/protocol/decision.ts";
import { renderPlan } from "./render-plan.ts";
import { renderWhy } from "./render-why.ts";
import { createStyle } from "./style.ts";

const AT_MS = new Date(2026, 10, 23, 10, 38, 22).getTime();
const style = createStyle(false, true);

const healed: Decision = {
  id: "dec_7K2Q",
  scope: "shop",
  service: "worker",
  object: "shop-worker-2",
  act: "instance.restart",
  title: "restarted worker-2",
  actor: "automatic",
  trigger: {
    kind: "unhealthy",
    detail: 'health check failed 3 times: "redis: connection refused"',
    atMs: AT_MS,
  },
  rule: { text: "restart max=3/10m", at: { file: "compose.yaml", line: 22, column: 7 } },
  inputs: { "failures in window": 1, healthy: false },
  notDone: [{ what: "recreate worker-2", why: "a restart comes first" }],
  before: {
    state: "running",
    exitCode: 137,
    oomKilled: true,
    healthOutput: "redis: connection refused\n",
    logTail: ["10:38:18 job 1 done", "10:38:20 cannot reach redis"],
  },
  budget: { used: 3, max: 3, windowMs: 600_000 },
  startedAtMs: AT_MS,
  finishedAtMs: AT_MS + 231,
  durationMs: 231,
  outcome: "done",
  result: "running after 231 ms",
};

describe("renderWhy()", () => {
  test("prints because, rule, inputs, what was not done, what was before, result, budget, next", () => {
    const answer = {
      subject: "service/worker",
      summary: "worker is healing: waits for its health check",
      decisions: [
        healed,
        {
          ...healed,
          id: "dec_7K1F",
          title: "removed x\u001b[2J",
          outcome: "pending" as const,
          startedAtMs: AT_MS - 86_400_000,
          notDone: [],
          inputs: {},
          before: undefined,
          budget: undefined,
          result: undefined,
        },
      ].map(omitUndefined),
      next: ["looks again in 4 s", "after 3 more failures it stops"],
    };
    assert.equal(
      renderWhy(answer, style, AT_MS + 60_000).join("\n"),
      `service/worker
  worker is healing: waits for its health check

10:38:22  restarted worker-2   dec_7K2Q  automatic   done
  because   health check failed 3 times: "redis: connection refused"
  rule      restart max=3/10m, compose.yaml:22:7
  inputs    failures in window 1, healthy false
  not done  recreate worker-2: a restart comes first
  before    running, exit code 137, out of memory
            health check said: redis: connection refused
            last log lines:
            | 10:38:18 job 1 done
            | 10:38:20 cannot reach redis
  result    running after 231 ms (took 231ms)
  budget    3 of 3 acts in 10m; at the next one it stops and raises an alert

2026-11-22 10:38:22  removed x\uFFFD[2J   dec_7K1F  automatic   pending
  because  health check failed 3 times: "redis: connection refused"
  rule     restart max=3/10m, compose.yaml:22:7
  result   not known yet: it is being done

  next     looks again in 4 s
           after 3 more failures it stops`,
    );
  });

  test("prints what a person gave as the reason", () => {
    const asked = { ...healed, actor: "unix socket", reason: "disk of host 3 is\u001b[2J swapped" };
    const answer = { subject: "dec_7K2Q", summary: "", decisions: [asked], next: [] };
    const lines = renderWhy(answer, style, AT_MS);
    assert.match(lines.join("\n"), /^  reason    disk of host 3 is\uFFFD\[2J swapped$/m);
  });

  test("says when nothing is kept", () => {
    const lines = renderWhy(
      { subject: "scope/shop", summary: "", decisions: [], next: [] },
      style,
      AT_MS,
    );
    assert.deepEqual(lines, ["scope/shop", "", "no decision about it is kept"]);
  });
});

function omitUndefined(decision: Record<keyof Decision, unknown> | Decision): Decision {
  return JSON.parse(JSON.stringify(decision));
}

describe("renderPlan()", () => {
  const plan = {
    id: "pl_9Q1",
    scope: "shop",
    basis: "8841",
    intentHash: "h",
    madeAtMs: 0,
    unchanged: 11,
    warnings: ["one volume is external"],
  };

  test("prints a sign, what, why and where for each step, and what stays", () => {
    const lines = renderPlan(
      {
        ...plan,
        steps: [
          {
            act: "network.create",
            object: "shop_default",
            title: "create network shop_default",
            because: "it is missing",
          },
          {
            act: "instance.replace",
            object: "shop-web-1",
            title: "replace web-1",
            because: "image changed",
            at: { file: "compose.yaml", line: 4 },
          },
          {
            act: "instance.remove",
            object: "shop-web-2",
            title: "remove web-2",
            because: "1 replica is wanted",
          },
        ],
      },
      style,
    );
    assert.equal(
      lines.join("\n"),
      `plan pl_9Q1 for shop: 3 steps
  + create network shop_default   it is missing
  ~ replace web-1                 image changed  compose.yaml:4
  - remove web-2                  1 replica is wanted
  = 11 unchanged
  ! one volume is external`,
    );
  });

  test("folds a long row of the same", () => {
    const steps = [...Array(100).keys()].map((at) => ({
      act: "instance.create" as const,
      service: "web",
      object: `shop-web-${at + 1}`,
      title: `created web-${at + 1}`,
      because: "it is missing",
    }));
    const lines = renderPlan({ ...plan, unchanged: 0, warnings: [], steps }, style);
    assert.deepEqual(lines, [
      "plan pl_9Q1 for shop: 100 steps",
      "  + create web-1 and 99 more   it is missing",
    ]);
  });

  test("says nothing to change when there is nothing to do", () => {
    assert.deepEqual(renderPlan({ ...plan, steps: [], warnings: ["web: cordoned on 2"] }, style), [
      "plan pl_9Q1 for shop: nothing to change (11 unchanged)",
      "  ! web: cordoned on 2",
    ]);
  });
});
