// SPDX-License-Identifier: Apache-2.0
import type { Endpoint } from "../endpoint.ts";
import { parsePolicy } from "../parse-policy.ts";
import type { Policy } from "../policy.ts";

/** `e0`, `e1` …, well and equal but for what is said. */
export function makeEndpoints(
  count: number,
  change: (index: number) => Partial<Endpoint> = () => ({}),
): readonly Endpoint[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `e${index}`,
    locality: {},
    load: 0,
    draining: false,
    healthy: true,
    ...change(index),
  }));
}

/** A policy that is right. */
export function readPolicy(text: string): Policy {
  const parsed = parsePolicy(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.policy;
}

/** The same numbers from 0 to below 1 for the same seed (mulberry32). */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
