// SPDX-License-Identifier: Apache-2.0
// Who may be chosen, and what one caller knows of it from its own calls.
import type { Locality } from "@fairlead/protocol/agent.ts";

/** One instance as the registry has it. */
export interface Endpoint {
  readonly id: string;
  /** Share of the calls relative to others; 1 by default. */
  readonly weight?: number;
  readonly locality: Locality;
  /** Work in hand relative to what it can take, as it says itself: 0 idle, 1 full. */
  readonly load: number;
  readonly draining: boolean;
  /** What its health check says. */
  readonly healthy: boolean;
}

/** `closed`: calls pass. `open`: none, until a time. `half-open`: one at a time, to see. */
export type BreakerState = "closed" | "open" | "half-open";

/** An instance with the memory of it. One object for as long as it is known; strategies read it at each pick. */
export class Slot<E extends Endpoint = Endpoint> {
  endpoint: E;
  /** Position in the pool; -1 while it is not in it. */
  place = -1;
  /** Its share now: its weight, less while it starts slowly. */
  weight = 1;
  inFlight = 0;
  /** Calls that may be with it now. */
  limit: number = Infinity;
  /** Peak-sensitive mean of its answers, ms, as of `stampMs`; 0 before the first. */
  latencyMs = 0;
  stampMs = 0;
  /** Virtual time at which round robin is due to come to it. */
  due = 0;
  breaker: BreakerState = "closed";
  openUntilMs = 0;
  /** How often it was left out lately: each time doubles the next. */
  ejections = 0;
  closedAtMs: number = -Infinity;
  /** Calls that may have been with it when it last refused one as too many. */
  shrunkTo: number = Infinity;
  shrunkAtMs: number = -Infinity;
  failuresInARow = 0;
  /** Of the running window, for success rates. */
  succeeded = 0;
  failed = 0;
  /** When its slow start began. */
  startedAtMs: number = -Infinity;

  constructor(endpoint: E) {
    this.endpoint = endpoint;
  }
}

/** What is asked of a strategy. One object is used again for each pick, so that picking makes nothing. */
export interface Query {
  nowMs: number;
  /** From 0 to below 1. */
  random: () => number;
  /** What consistent hashing hashes; undefined where whoever is best will do. */
  key: string | undefined;
  /** Ids that were tried already. */
  avoid: ReadonlySet<string> | undefined;
}

/** Chooses from a pool. Places are positions in it. */
export interface Strategy {
  /** Members, weights or limits have changed. */
  rebuild(pool: readonly Slot[]): void;
  /** Calls in flight of a member have changed by so many. */
  touch?(slot: Slot, change: number): void;
  /** The place of the one to ask; -1 when nobody takes another call. */
  pick(query: Query): number;
  /** What it is judged by: the least is chosen among those that are compared. */
  score(slot: Slot, nowMs: number): number;
}

/** Whether it takes another call of this query. */
export function isOpen(slot: Slot, query: Query): boolean {
  return (
    slot.inFlight < slot.limit && (query.avoid === undefined || !query.avoid.has(slot.endpoint.id))
  );
}

/** The best of all that are open, for when the quick way met one that is not; -1 for none. */
export function scanPool(strategy: Strategy, pool: readonly Slot[], query: Query): number {
  let best = -1;
  let least = Infinity;
  for (let place = 0; place < pool.length; place++) {
    const slot = pool[place];
    if (slot === undefined || !isOpen(slot, query)) continue;
    const score = strategy.score(slot, query.nowMs);
    if (best >= 0 && score >= least) continue;
    best = place;
    least = score;
  }
  return best;
}
