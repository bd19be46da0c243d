// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Balancer } from "./balancer.ts";
import type { Endpoint } from "./endpoint.ts";
import { STRATEGIES } from "./policy.ts";
import { makeEndpoints, makeRandom, readPolicy } from "./testing/make-endpoints.ts";

const ALL = STRATEGIES.map((name) => (name === "hash" ? "hash:user" : name));
const SEEDS = fc.integer({ min: 0, max: 1e9 });

function open(text: string): Balancer<Endpoint> {
  return new Balancer({ policy: readPolicy(text) });
}

/** How often each was picked. */
function count(ids: readonly (string | undefined)[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    [...Map.groupBy(ids, (id) => id ?? "nobody")].map(([id, all]) => [id, all.length]),
  );
}

function fail(balancer: Balancer<Endpoint>, id: string, times: number, nowMs: number): void {
  for (let time = 0; time < times; time++) {
    balancer.started(id);
    balancer.ended(id, 1, "failed", nowMs);
  }
}

test("round robin gives each exactly its weight in every cycle", () => {
  const weights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(weights, SEEDS, (each, seed) => {
      const balancer = open("round-robin");
      const endpoints = makeEndpoints(each.length, (index) => ({ weight: each[index] ?? 1 }));
      const random = makeRandom(seed);
      const cycle = each.reduce((sum, weight) => sum + weight, 0);
      for (let round = 0; round < 3; round++) {
        const picks = Array.from({ length: cycle }, () => balancer.pick(endpoints, 0, random)?.id);
        const wanted = Object.fromEntries(each.map((weight, index) => [`e${index}`, weight]));
        assert.deepEqual({ ...wanted, ...count(picks) }, wanted);
      }
    }),
  );
});

test("round robin is smooth: of 5, 1 and 1 the first is never picked more than three times in a row", () => {
  const balancer = open("round-robin");
  const endpoints = makeEndpoints(3, (index) => ({ weight: index === 0 ? 5 : 1 }));
  const picks = Array.from({ length: 70 }, () => balancer.pick(endpoints, 0, () => 0)?.id);
  assert.doesNotMatch(picks.join(" "), /e0 e0 e0 e0/);
});

test("least requests never lets calls in flight differ by more than one", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), SEEDS, (size, seed) => {
      const balancer = open("least-requests");
      const endpoints = makeEndpoints(size);
      const load = new Map(endpoints.map(({ id }) => [id, 0]));
      for (let call = 0; call < 100; call++) {
        const id = balancer.pick(endpoints, 0, makeRandom(seed))?.id ?? "";
        balancer.started(id);
        load.set(id, (load.get(id) ?? 0) + 1);
        assert.ok(Math.max(...load.values()) - Math.min(...load.values()) <= 1);
      }
    }),
  );
});

test("who refuses a call as it has too many gets fewer, a crowd of refusals counts once, and it is not left out", () => {
  const balancer = open("random-two eject-max=100%");
  const [full, other] = makeEndpoints(2);
  assert.ok(full !== undefined && other !== undefined);
  const random = makeRandom(1);
  const alone = [full];
  const pickAll = (nowMs: number): number => {
    let picked = 0;
    for (; picked < 1_000 && balancer.pick(alone, nowMs, random) !== undefined; picked++)
      balancer.started("e0");
    return picked;
  };
  for (let call = 0; call < 40; call++) balancer.pick(alone, 0, random);
  for (let call = 0; call < 40; call++) balancer.started("e0");
  for (let call = 0; call < 20; call++) balancer.ended("e0", 10, "refused", 10);
  // 30 of 40, of which 20 are still there.
  assert.equal(pickAll(11), 10);
  assert.equal(balancer.pick(alone, 11, random), undefined);
  assert.match(
    balancer.explain(11).candidates[0]?.excluded ?? "",
    /30 calls, its most since it refused/,
  );
  assert.equal(balancer.pick([full, other], 11, random)?.id, "e1");
  for (let call = 0; call < 30; call++) balancer.ended("e0", 10, "ok", 20);
  assert.equal(pickAll(1_010), 60, "twice as many after a second");
  for (let call = 0; call < 59; call++) balancer.ended("e0", 10, "ok", 1_020);
  balancer.ended("e0", 10, "refused", 1_030);
  assert.equal(pickAll(1_031), 0, "one that had nothing else is left alone for a while");
  assert.equal(pickAll(1_500), 1);
});

test("draws follow the weights with power of two choices", () => {
  const balancer = open("random-two");
  const endpoints = makeEndpoints(4, (index) => ({ weight: index + 1 }));
  const random = makeRandom(7);
  const picks = Array.from({ length: 20_000 }, () => balancer.pick(endpoints, 0, random)?.id);
  for (const [id, picked] of Object.entries(count(picks)))
    assert.ok(Math.abs(picked / 20_000 - (Number(id.slice(1)) + 1) / 10) < 0.06, `${id} ${picked}`);
});

test("nobody who leaves, is ill or was left out is picked while there are others", () => {
  const states = fc.array(fc.constantFrom("well", "draining", "ill", "failing"), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(fc.constantFrom(...ALL), states, SEEDS, (strategy, each, seed) => {
      const balancer = open(`${strategy} eject-max=100%`);
      const random = makeRandom(seed);
      const endpoints = makeEndpoints(each.length, (index) => ({
        draining: each[index] === "draining",
        healthy: each[index] !== "ill",
      }));
      balancer.pick(endpoints, 0, random);
      for (const [index, state] of each.entries())
        if (state === "failing") fail(balancer, `e${index}`, 5, 1);
      const may = each.includes("well") ? "well" : "failing";
      for (let pick = 0; pick < 30; pick++) {
        const picked = balancer.pick(endpoints, 2, random, { key: `k${pick}` });
        if (each.includes(may)) assert.equal(each[Number(picked?.id.slice(1))], may);
        else assert.equal(picked, undefined);
      }
    }),
  );
});

test("no strategy picks who has the most calls it may have, nor who was tried while there are others", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ALL),
      fc.integer({ min: 2, max: 8 }),
      SEEDS,
      (name, size, seed) => {
        const balancer = open(`${name} breaker=2`);
        const endpoints = makeEndpoints(size);
        const random = makeRandom(seed);
        const avoid = new Set(["e0"]);
        const ids: (string | undefined)[] = [];
        for (let call = 0; call < size * 2; call++) {
          const id = balancer.pick(endpoints, 0, random, { key: `k${call}`, avoid })?.id;
          if (call < (size - 1) * 2) assert.notEqual(id, "e0");
          ids.push(id);
          balancer.started(id ?? "");
        }
        assert.ok(Object.values(count(ids)).every((calls) => calls === 2));
        assert.equal(balancer.pick(endpoints, 0, random, { key: "k" }), undefined);
      },
    ),
  );
});

test("no more are left out than may be", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 0, max: 100 }),
      (size, percent) => {
        const balancer = open(`ewma eject-max=${percent}%`);
        const endpoints = makeEndpoints(size);
        balancer.pick(endpoints, 0, makeRandom(1));
        for (const { id } of endpoints) fail(balancer, id, 20, 1);
        const open_ = balancer.explain(1).candidates.filter(({ breaker }) => breaker === "open");
        assert.ok(open_.length <= (percent / 100) * size, `${open_.length} of ${size}`);
      },
    ),
  );
});

test("the breaker opens, lets one call through after its time, closes or opens for twice as long", () => {
  const balancer = open("random-two eject=3 eject-time=1s");
  const endpoints = makeEndpoints(2);
  const random = makeRandom(3);
  const stateAt = (nowMs: number): string => {
    balancer.pick(endpoints, nowMs, random);
    return balancer.explain(nowMs).candidates[0]?.breaker ?? "";
  };
  assert.equal(stateAt(0), "closed");
  fail(balancer, "e0", 2, 10);
  assert.equal(stateAt(10), "closed");
  fail(balancer, "e0", 1, 10);
  assert.equal(stateAt(10), "open");
  assert.equal(stateAt(1_009), "open");
  assert.equal(stateAt(1_010), "half-open");
  balancer.started("e0");
  for (let pick = 0; pick < 20; pick++)
    assert.equal(balancer.pick(endpoints, 1_011, random)?.id, "e1");
  balancer.ended("e0", 1, "failed", 1_020);
  assert.equal(stateAt(3_019), "open");
  assert.equal(stateAt(3_020), "half-open");
  balancer.started("e0");
  balancer.ended("e0", 1, "ok", 3_030);
  assert.equal(stateAt(3_031), "closed");
});

test("with every strategy one that is well again gets calls soon after its time", () => {
  for (const strategy of ALL) {
    const balancer = open(`${strategy} eject-time=1s`);
    const endpoints = makeEndpoints(4);
    const random = makeRandom(11);
    let back = 0;
    for (let call = 0; call < 12_000; call++) {
      const id = balancer.pick(endpoints, call, random, { key: `k${call}` })?.id ?? "";
      const failing = id === "e1" && call < 1_000;
      balancer.started(id);
      balancer.ended(id, 5, failing ? "failed" : "ok", call);
      if (id === "e1" && call >= 9_000) back++;
    }
    assert.ok(back > 100, `${strategy}: ${back}`);
  }
});

test("who succeeds far less often than the others is left out at the end of the window", () => {
  const balancer = open("round-robin eject=1000");
  const endpoints = makeEndpoints(10);
  balancer.pick(endpoints, 0, () => 0);
  for (const { id } of endpoints) {
    for (let call = 0; call < 40; call++) {
      balancer.started(id);
      balancer.ended(id, 1, id === "e4" && call % 2 === 0 ? "failed" : "ok", 1);
    }
  }
  balancer.pick(endpoints, 10_001, () => 0);
  const out = balancer.explain(10_001).candidates.filter(({ breaker }) => breaker === "open");
  assert.deepEqual(
    out.map(({ id, excluded }) => [id, excluded]),
    [["e4", "its calls failed: left out for another 5000 ms"]],
  );
});

test("in a panic all but those that leave are used, and it is said", () => {
  const balancer = open("round-robin panic=50%");
  const endpoints = makeEndpoints(4, (index) => ({ healthy: index === 0, draining: index === 3 }));
  const picks = Array.from({ length: 30 }, () => balancer.pick(endpoints, 0, () => 0)?.id);
  assert.deepEqual(count(picks), { e0: 10, e1: 10, e2: 10 });
  assert.ok(balancer.explain(0).panic);
});

test("a newcomer gets a tenth, then more, then its share; those from the beginning get theirs", () => {
  const balancer = open("round-robin slow-start=10s");
  const first = makeEndpoints(1);
  const both = makeEndpoints(2);
  balancer.pick(first, 0, () => 0);
  const shareAt = (nowMs: number): number => {
    const picks = Array.from({ length: 1_000 }, () => balancer.pick(both, nowMs, () => 0)?.id);
    return (count(picks)["e1"] ?? 0) / 1_000;
  };
  const shares = [shareAt(1_000), shareAt(6_000), shareAt(11_001)];
  for (const [index, wanted] of [0.1 / 1.1, 0.5 / 1.5, 0.5].entries())
    assert.ok(Math.abs((shares[index] ?? 0) - wanted) < 0.02, String(shares));
});

test("peak-EWMA sends a slow instance a small part and comes back to it", () => {
  const balancer = open("ewma");
  const endpoints = makeEndpoints(4);
  const random = makeRandom(5);
  let slow = 0;
  for (let call = 0; call < 4_000; call++) {
    const id = balancer.pick(endpoints, call, random)?.id ?? "";
    if (id === "e2") slow++;
    balancer.started(id);
    balancer.ended(id, id === "e2" ? 200 : 5, "ok", call);
  }
  assert.ok(slow > 0 && slow < 100, String(slow));
  let later = 0;
  for (let call = 0; call < 1_000; call++) {
    const nowMs = 120_000 + call * 10;
    const id = balancer.pick(endpoints, nowMs, random)?.id ?? "";
    if (id === "e2") later++;
    balancer.started(id);
    balancer.ended(id, 5, "ok", nowMs);
  }
  assert.ok(later > 100, String(later));
});

test("hedging begins after the quantile of enough answers, and only where there is somebody else", () => {
  const balancer = open("ewma hedge=p90");
  const endpoints = makeEndpoints(2);
  balancer.pick(endpoints, 0, makeRandom(1));
  assert.equal(balancer.hedgeAfterMs(), undefined);
  for (let call = 1; call <= 100; call++) {
    balancer.started("e0");
    balancer.ended("e0", call, "ok", call);
  }
  const afterMs = balancer.hedgeAfterMs() ?? 0;
  assert.ok(afterMs >= 90 && afterMs < 100, String(afterMs));
  balancer.pick(makeEndpoints(1), 200, makeRandom(1));
  assert.equal(balancer.hedgeAfterMs(), undefined);
});

test("an explanation has each candidate, and the last choices, no more than 32", () => {
  const balancer = open("least-requests");
  const endpoints = makeEndpoints(3, (index) => ({ draining: index === 2 }));
  for (let pick = 0; pick < 100; pick++) balancer.pick(endpoints, pick, () => 0);
  const { candidates, choices, policy, unit } = balancer.explain(100);
  assert.deepEqual([policy, unit], ["least-requests", "calls"]);
  assert.deepEqual(
    candidates.map(({ excluded }) => excluded),
    [undefined, undefined, "is leaving"],
  );
  assert.equal(choices.length, 32);
  assert.deepEqual([choices[0]?.atMs, choices.at(-1)?.atMs], [68, 99]);
  assert.ok(choices.every(({ among }) => among === 2));
});

test("an id that nobody knows is passed over", () => {
  const balancer = open("ewma");
  balancer.started("nobody");
  balancer.ended("nobody", 1, "failed", 0);
  assert.equal(
    balancer.pick([], 0, () => 0),
    undefined,
  );
});
