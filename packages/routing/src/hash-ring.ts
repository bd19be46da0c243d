// SPDX-License-Identifier: Apache-2.0
// Consistent hashing with bounded loads: a key goes to the same instance as long as that is not far busier than the others.
import { isOpen, scanPool, type Query, type Slot, type Strategy } from "./endpoint.ts";
import { TwoChoices } from "./two-choices.ts";

/** Points on the ring for a weight of 1: more spread keys more evenly. */
const POINTS = 100;
const POINTS_MAX = 1_000;
/** A point is the hash and whose it is in one number: 32 bits and 20 bits. */
const OWNERS = 2 ** 20;

/** FNV-1a with the finish of MurmurHash 3, so that names that differ at their end are far apart. 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** When one leaves, only its keys move. O(log n), and a step for each that is too busy. */
export class HashRing implements Strategy {
  readonly score: (slot: Slot, nowMs: number) => number;
  readonly #bound: number;
  readonly #known: () => Iterable<Slot>;
  readonly #keyless = new TwoChoices("latency");
  #pool: readonly Slot[] = [];
  #owners: readonly Slot[] = [];
  #points = new Float64Array(0);
  /** First point of each of as many equal parts of the ring as there are points. */
  #starts = new Int32Array(1);
  #made = "";
  #weight = 0;
  #inFlight = 0;

  constructor(bound: number, known: () => Iterable<Slot>) {
    this.#bound = bound;
    this.#known = known;
    this.score = this.#keyless.score;
  }

  rebuild(pool: readonly Slot[]): void {
    this.#pool = pool;
    this.#keyless.rebuild(pool);
    this.#weight = pool.reduce((sum, { weight }) => sum + weight, 0);
    const owners = [...this.#known()];
    this.#inFlight = pool.reduce((sum, { inFlight }) => sum + inFlight, 0);
    const made = JSON.stringify(owners.map(({ endpoint: { id, weight } }) => [id, weight]));
    this.#owners = owners;
    if (made === this.#made) return;
    this.#made = made;
    this.#placePoints();
  }

  /** The ring has all that are known, so that an ejection and its end move nobody else's keys. */
  #placePoints(): void {
    const points: number[] = [];
    for (const [owner, { endpoint }] of this.#owners.entries()) {
      const count = Math.max(1, Math.min(POINTS_MAX, Math.round((endpoint.weight ?? 1) * POINTS)));
      for (let point = 0; point < count; point++)
        points.push(hashText(`${endpoint.id} ${point}`) * OWNERS + owner);
    }
    this.#points = Float64Array.from(points).sort();
    const parts = Math.max(1, points.length);
    this.#starts = new Int32Array(parts);
    for (let part = 0, at = 0; part < parts; part++) {
      while (at < points.length && (this.#points[at] ?? 0) < (part / parts) * 2 ** 32 * OWNERS)
        at++;
      this.#starts[part] = at;
    }
  }

  pick(query: Query): number {
    if (query.key === undefined) return this.#keyless.pick(query);
    const count = this.#points.length;
    if (count === 0) return -1;
    const hash = hashText(query.key);
    let at = this.#starts[Math.floor((hash / 2 ** 32) * count)] ?? 0;
    while (at < count && (this.#points[at] ?? 0) < hash * OWNERS) at++;
    const each = (this.#bound * (this.#inFlight + 1)) / this.#weight;
    for (let step = 0; step < count; step++) {
      const slot = this.#owners[(this.#points[(at + step) % count] ?? 0) % OWNERS];
      if (slot === undefined || this.#pool[slot.place] !== slot) continue;
      if (slot.inFlight < Math.ceil(each * slot.weight) && isOpen(slot, query)) return slot.place;
    }
    return scanPool(this, this.#pool, query);
  }

  touch(_: Slot, change: number): void {
    this.#inFlight += change;
  }
}
