// SPDX-License-Identifier: Apache-2.0
// Quantiles of what answers took, in bounded room: counts by size, the older ones fading.

const GROWTH = 1.1;
const LEAST_MS = 0.01;
const BUCKETS = 180;
const COUNT_MAX = 1_000;
/** Below so many answers nothing is said. */
const COUNT_MIN = 20;

/** What answers of one target took. Precise to 10 %. */
export class LatencyHistory {
  readonly #counts = new Float64Array(BUCKETS);
  #sum = 0;

  add(tookMs: number): void {
    const bucket = Math.ceil(Math.log(Math.max(tookMs, LEAST_MS) / LEAST_MS) / Math.log(GROWTH));
    const at = Math.min(BUCKETS - 1, bucket);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    if (++this.#sum < COUNT_MAX) return;
    this.#sum = 0;
    for (let each = 0; each < BUCKETS; each++) {
      const half = (this.#counts[each] ?? 0) / 2;
      this.#counts[each] = half < 0.1 ? 0 : half;
      this.#sum += this.#counts[each] ?? 0;
    }
  }

  /** The upper bound in ms of that share of the answers; undefined before there are enough. */
  quantile(share: number): number | undefined {
    if (this.#sum < COUNT_MIN) return undefined;
    let passed = 0;
    for (let at = 0; at < BUCKETS; at++) {
      passed += this.#counts[at] ?? 0;
      if (passed >= share * this.#sum) return LEAST_MS * GROWTH ** at;
    }
    return LEAST_MS * GROWTH ** BUCKETS;
  }
}
