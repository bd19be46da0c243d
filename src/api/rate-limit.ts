// SPDX-License-Identifier: Apache-2.0
// How often one client may ask over TCP: a bucket each for who is known by name, and for each address of those who are not.
import type { Clock } from "#base/clock.ts";
import type { ApiLimits } from "./settings.ts";

interface Bucket {
  tokens: number;
  atMs: number;
  /** When a refusal was last written down. */
  toldAtMs: number;
}

/** Clients that are remembered; the one that asked longest ago is forgotten first. */
const CLIENTS_MAX = 10_000;
const TELL_MS = 60_000;

/** Buckets of clients by name. */
export interface RateLimit {
  /** Undefined lets a request through; else after how long the next one is, and whether this is to be written down. */
  take(client: string): { readonly waitMs: number; readonly isNews: boolean } | undefined;
}

/** All are full at first. */
export function createRateLimit(
  limits: Pick<ApiLimits, "requestsPerSecondMax" | "requestsAtOnceMax">,
  clock: Pick<Clock, "monotonicMs">,
): RateLimit {
  const { requestsPerSecondMax: perSecond, requestsAtOnceMax: atOnce } = limits;
  const buckets = new Map<string, Bucket>();
  return {
    take(client) {
      const nowMs = clock.monotonicMs();
      const full = { tokens: atOnce, atMs: nowMs, toldAtMs: Number.NEGATIVE_INFINITY };
      const bucket = buckets.get(client) ?? full;
      buckets.delete(client);
      buckets.set(client, bucket);
      if (buckets.size > CLIENTS_MAX)
        for (const oldest of buckets.keys()) {
          buckets.delete(oldest);
          break;
        }
      bucket.tokens = Math.min(atOnce, bucket.tokens + ((nowMs - bucket.atMs) / 1_000) * perSecond);
      bucket.atMs = nowMs;
      if (bucket.tokens >= 1) {
        bucket.tokens--;
        return undefined;
      }
      const isNews = nowMs - bucket.toldAtMs >= TELL_MS;
      if (isNews) bucket.toldAtMs = nowMs;
      return { waitMs: ((1 - bucket.tokens) / perSecond) * 1_000, isNews };
    },
  };
}
