// SPDX-License-Identifier: Apache-2.0
// So many datagrams a second for each source, with bounded memory however many sources there seem to be.

export interface SourceLimiterOptions {
  /** Datagrams a second that one source may send for ever. */
  readonly perSecond: number;
  /** How many it may send at once after a pause. */
  readonly burst: number;
  /** Sources told apart. The others share one allowance, so that invented sources cannot fill the memory. */
  readonly sourcesMax: number;
}

export interface SourceLimiter {
  /** Takes one from the source's allowance; false when there is none. `nowMs` is monotonic. */
  allow(source: string, nowMs: number): boolean;
  /** Sources that are remembered. */
  readonly size: number;
}

interface Bucket {
  tokens: number;
  lastMs: number;
}

/** IPv4 addresses are sources of their own; of IPv6 ones the first 64 bits, as one host has all the others. */
export function sourceOf(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array<string>(zeros).fill("0"), ...back];
  return `${groups.slice(0, 4).join(":")}::`;
}

/** A limiter in which a source that has been quiet long enough to be whole again is forgotten. */
export function createSourceLimiter(options: SourceLimiterOptions): SourceLimiter {
  const { perSecond, burst, sourcesMax } = options;
  const buckets = new Map<string, Bucket>();
  const others: Bucket = { tokens: burst, lastMs: 0 };
  const wholeAfterMs = (burst / perSecond) * 1_000;
  let sweepAtMs = 0;

  function sweep(nowMs: number): void {
    if (nowMs < sweepAtMs) return;
    sweepAtMs = nowMs + 1_000;
    for (const [source, bucket] of buckets) {
      if (nowMs - bucket.lastMs >= wholeAfterMs) buckets.delete(source);
    }
  }

  function find(source: string, nowMs: number): Bucket {
    const known = buckets.get(source);
    if (known !== undefined) return known;
    if (buckets.size >= sourcesMax) sweep(nowMs);
    if (buckets.size >= sourcesMax) return others;
    const bucket = { tokens: burst, lastMs: nowMs };
    buckets.set(source, bucket);
    return bucket;
  }

  return {
    allow(source, nowMs) {
      const bucket = find(source, nowMs);
      const earned = ((nowMs - bucket.lastMs) * perSecond) / 1_000;
      bucket.tokens = Math.min(burst, bucket.tokens + Math.max(0, earned));
      bucket.lastMs = nowMs;
      if (bucket.tokens < 1) return false;
      bucket.tokens--;
      return true;
    },
    get size() {
      return buckets.size;
    },
  };
}
