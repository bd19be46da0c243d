// SPDX-License-Identifier: Apache-2.0
// Strategies of routing, simulated with a seed: one caller, 100 instances, one of them slow and one failing. Pure.
import { Balancer } from "@fairlead/routing/balancer.ts";
import type { Endpoint } from "@fairlead/routing/endpoint.ts";
import { parsePolicy } from "@fairlead/routing/parse-policy.ts";
import type { Bench, Sample } from "./bench.ts";
import { simulateCalls } from "./simulate-calls.ts";

/** Round robin without anything around it is what most have; the rest are Fairlead's. */
const SUBJECTS: Readonly<Record<string, string>> = {
  fairlead: "ewma",
  "fairlead:random-two": "random-two",
  "fairlead:least-requests": "least-requests",
  "fairlead:round-robin": "round-robin",
  "fairlead:locality": "locality",
  "fairlead:hash": "hash:user",
  "round-robin": "round-robin eject=off",
};

const ROUNDS = 5;
const ENDPOINTS = 1_000;
const PICKS = 400_000;
const IN_FLIGHT = 512;
const KEYS: readonly string[] = Array.from({ length: 4_096 }, (_, index) => `user-${index}`);

/** The same numbers from 0 to below 1 for the same seed (mulberry32). */
function seedRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function openBalancer(text: string): Balancer<Endpoint> {
  const parsed = parsePolicy(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return new Balancer({ policy: parsed.policy, here: { zone: "z0", region: "r0" } });
}

/** Ten zones in two regions; their calls all come from the first, so near ones have a tenth of the places. */
function makeEndpoints(count: number): readonly Endpoint[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `instance-${index}`,
    locality: { zone: `z${index % 10}`, region: `r${index % 2}` },
    load: 0,
    draining: false,
    healthy: true,
  }));
}

/**
 * Whole calls a second: chosen, begun, ended, with as many in flight as a busy caller has. Seconds of processor time, all
 * threads: others on the machine are not measured.
 */
function measurePicks(text: string, seed: number): number {
  const balancer = openBalancer(text);
  const endpoints = makeEndpoints(ENDPOINTS);
  const random = seedRandom(seed);
  const hint = { key: "" };
  const flying: string[] = Array.from({ length: IN_FLIGHT }, () => "");
  let before = process.cpuUsage();
  for (let pick = -PICKS / 2; pick < PICKS; pick++) {
    if (pick === 0) before = process.cpuUsage();
    const nowMs = 1_000 + (pick + PICKS) * 0.001;
    hint.key = KEYS[pick & 4_095] ?? "";
    const spot = pick & (IN_FLIGHT - 1);
    const over = flying[spot] ?? "";
    if (over !== "") balancer.ended(over, 1 + (pick & 15), "ok", nowMs);
    const picked = balancer.pick(endpoints, nowMs, random, hint)?.id ?? "";
    balancer.started(picked);
    flying[spot] = picked;
  }
  const { user, system } = process.cpuUsage(before);
  return PICKS / ((user + system) / 1e6);
}

function measureCalls(subject: string, text: string, seed: number): readonly Sample[] {
  // All instances are in the caller's zone here: the others would be left alone, and nothing compared.
  const endpoints = makeEndpoints(100).map((one) => ({ ...one, locality: { zone: "z0" } }));
  const random = seedRandom(seed);
  const { p99Ms, imbalance } = simulateCalls(openBalancer(text), endpoints, random);
  return [
    { metric: "p99_ms", unit: "ms", subject, value: p99Ms },
    { metric: "imbalance", unit: "max/mean", subject, value: imbalance },
  ];
}

export const routing: Bench = {
  name: "routing",
  about:
    "pure, simulated: strategies with one slow and one failing of 100 instances; picks a second",
  async run({ say, sample }) {
    for (let round = 1; round <= ROUNDS; round++) {
      for (const [subject, text] of Object.entries(SUBJECTS))
        for (const one of measureCalls(subject, text, round)) sample(one);
      say(`round ${round} of ${ROUNDS}: simulated`);
      for (const [subject, text] of Object.entries(SUBJECTS)) {
        const value = measurePicks(text, round);
        sample({ metric: "picks_per_s", unit: "1/s", subject, value });
      }
      say(`round ${round} of ${ROUNDS}: picked`);
    }
  },
};
