// SPDX-License-Identifier: Apache-2.0
// Chooses among the instances of one target: a strategy, over those that are well. Pure: time and chance are arguments.
import type { Locality } from "@fairlead/protocol/agent.ts";
import {
  advanceBreaker,
  closeBreaker,
  GROW_STEP_MS,
  limitCalls,
  openBreaker,
  shrinkLimit,
} from "./breaker.ts";
import { Slot, type Endpoint, type Query, type Strategy } from "./endpoint.ts";
import { explainPool, ChoiceLog, type Explanation } from "./explain.ts";
import { LatencyHistory } from "./latency-history.ts";
import { latencyOf, observeLatency } from "./latency.ts";
import { makeStrategy } from "./make-strategy.ts";
import { ejectOutliers, mayEject, WINDOW_MS } from "./outliers.ts";
import type { Policy } from "./policy.ts";
import { rampWeight, stepSlowStart } from "./slow-start.ts";

/** What became of a call. `refused`: the instance is well and has too many. `canceled` says nothing about it. */
export type CallOutcome = "ok" | "failed" | "refused" | "canceled";

/** What a call asks for beyond any instance. */
export interface PickHint {
  /** What consistent hashing hashes. */
  readonly key?: string | undefined;
  /** Ids that were tried already; used only when there is nobody else. */
  readonly avoid?: ReadonlySet<string> | undefined;
}

export interface BalancerOptions {
  readonly policy: Policy;
  /** Where the caller is, for routing by locality. */
  readonly here?: Locality;
}

const NO_RANDOM = (): number => 0;

/** One for each target; remembers instances by id. */
export class Balancer<E extends Endpoint> {
  readonly policy: Policy;
  readonly #strategy: Strategy;
  readonly #slots = new Map<string, Slot<E>>();
  readonly #history = new LatencyHistory();
  readonly #choices = new ChoiceLog();
  readonly #query: Query = { nowMs: 0, random: NO_RANDOM, key: undefined, avoid: undefined };
  #seen: readonly E[] | undefined;
  #pool: readonly Slot<E>[] = [];
  #panic = false;
  #stale = true;
  /** When time alone changes who may be chosen. */
  #dueMs = 0;
  #windowEndsMs = 0;
  /** Where the order begins, so that many callers do not all begin with the first. */
  #offset: number | undefined;

  constructor({ policy, here = {} }: BalancerOptions) {
    this.policy = policy;
    this.#strategy = makeStrategy(policy, here, () => this.#slots.values());
  }

  /**
   * Whom to ask; undefined when nobody takes calls. The same array has to hold the same endpoints: a change comes as
   * another array. Nothing is made by a pick.
   */
  pick(
    endpoints: readonly E[],
    nowMs: number,
    random: () => number,
    hint?: PickHint,
  ): E | undefined {
    if (endpoints !== this.#seen || this.#stale || nowMs >= this.#dueMs) {
      this.#offset ??= random();
      this.#settle(endpoints, nowMs);
    }
    const query = this.#query;
    query.nowMs = nowMs;
    query.random = random;
    query.key = hint?.key;
    query.avoid = hint?.avoid;
    let place = this.#strategy.pick(query);
    if (place < 0 && query.avoid !== undefined) {
      query.avoid = undefined;
      place = this.#strategy.pick(query);
    }
    const slot = this.#pool[place];
    if (slot === undefined) return undefined;
    this.#choices.note(
      nowMs,
      slot.endpoint.id,
      this.#strategy.score(slot, nowMs),
      this.#pool.length,
    );
    return slot.endpoint;
  }

  /** A call is with it. */
  started(id: string): void {
    const slot = this.#slots.get(id);
    if (slot === undefined) return;
    slot.inFlight++;
    if (slot.place >= 0) this.#strategy.touch?.(slot, 1);
  }

  /** A call is over. */
  ended(id: string, latencyMs: number, outcome: CallOutcome, nowMs: number): void {
    const slot = this.#slots.get(id);
    if (slot === undefined || slot.inFlight === 0) return;
    slot.inFlight--;
    if (slot.place >= 0) this.#strategy.touch?.(slot, -1);
    if (outcome === "canceled") return;
    observeLatency(slot, latencyMs, outcome !== "ok", nowMs);
    if (outcome === "ok") this.#succeed(slot, latencyMs, nowMs);
    else if (outcome === "failed" || slot.breaker === "half-open") this.#fail(slot, nowMs);
    else if (slot.shrunkAtMs <= nowMs - latencyMs) this.#shrink(slot, nowMs);
  }

  /** A call answered, but too late to matter: the instance is at least this slow. */
  observe(id: string, latencyMs: number, nowMs: number): void {
    const slot = this.#slots.get(id);
    if (slot !== undefined && latencyMs > latencyOf(slot, nowMs))
      observeLatency(slot, latencyMs, false, nowMs);
  }

  /** How long to wait before a second instance is asked; undefined: do not. */
  hedgeAfterMs(): number | undefined {
    const { hedgeQuantile } = this.policy;
    if (hedgeQuantile === 0 || this.#pool.length < 2) return undefined;
    return this.#history.quantile(hedgeQuantile);
  }

  /** How it looks now, and the last choices. */
  explain(nowMs: number): Explanation {
    return {
      ...explainPool(this.policy, this.#strategy, [...this.#slots.values()], nowMs),
      panic: this.#panic,
      choices: this.#choices.list(),
    };
  }

  #succeed(slot: Slot<E>, latencyMs: number, nowMs: number): void {
    slot.succeeded++;
    slot.failuresInARow = 0;
    if (this.policy.hedgeQuantile > 0) this.#history.add(latencyMs);
    // An open one that answers was called for want of others: it is well again.
    if (slot.breaker === "closed") return;
    closeBreaker(slot, nowMs);
    this.#stale = true;
  }

  /** What was sent before it shrank came in one crowd: that counts once. */
  #shrink(slot: Slot<E>, nowMs: number): void {
    shrinkLimit(slot, nowMs);
    this.#stale = true;
  }

  #fail(slot: Slot<E>, nowMs: number): void {
    slot.failed++;
    slot.failuresInARow++;
    const again = slot.breaker === "half-open";
    if (slot.breaker === "open" || (!again && slot.failuresInARow < this.policy.ejectAfter)) return;
    if (!again && !mayEject(this.#slots.values(), this.policy)) return;
    openBreaker(slot, this.policy, nowMs);
    this.#stale = true;
  }

  /** Newcomers begin slowly, except those that are there from the beginning. */
  #learn(endpoints: readonly E[], nowMs: number): void {
    const first = this.#seen === undefined;
    const gone = new Set(this.#slots.keys());
    for (const endpoint of endpoints) {
      gone.delete(endpoint.id);
      const known = this.#slots.get(endpoint.id);
      if (known !== undefined) {
        if (!known.endpoint.healthy && endpoint.healthy) known.startedAtMs = nowMs;
        known.endpoint = endpoint;
        continue;
      }
      const slot = new Slot(endpoint);
      if (!first) slot.startedAtMs = nowMs;
      this.#slots.set(endpoint.id, slot);
    }
    for (const id of gone) this.#slots.delete(id);
    this.#seen = endpoints;
  }

  #settle(endpoints: readonly E[], nowMs: number): void {
    if (endpoints !== this.#seen) this.#learn(endpoints, nowMs);
    if (nowMs >= this.#windowEndsMs) {
      ejectOutliers(this.#slots, this.policy, nowMs);
      this.#windowEndsMs = nowMs + WINDOW_MS;
    }
    const { slowStartMs } = this.policy;
    let dueMs = this.#windowEndsMs;
    for (const slot of this.#slots.values()) {
      advanceBreaker(slot, nowMs);
      if (slot.breaker === "open") dueMs = Math.min(dueMs, slot.openUntilMs);
      const ageMs = nowMs - slot.startedAtMs;
      slot.weight = (slot.endpoint.weight ?? 1) * rampWeight(ageMs, slowStartMs);
      slot.limit = limitCalls(slot, this.policy, nowMs);
      if (slot.limit < this.policy.inFlightMax) dueMs = Math.min(dueMs, nowMs + GROW_STEP_MS);
      slot.place = -1;
      if (ageMs < slowStartMs) dueMs = Math.min(dueMs, nowMs + stepSlowStart(slowStartMs));
    }
    this.#pool = this.#choosePool();
    for (const [place, slot] of this.#pool.entries()) slot.place = place;
    this.#strategy.rebuild(this.#pool);
    this.#dueMs = dueMs;
    this.#stale = false;
  }

  /** Those that are well; in a panic, all but those that leave. */
  #choosePool(): readonly Slot<E>[] {
    const staying = [...this.#slots.values()].filter(
      ({ endpoint: { draining, weight = 1 } }) => !draining && weight > 0,
    );
    const healthy = staying.filter(({ endpoint }) => endpoint.healthy);
    const well = healthy.filter(({ breaker }) => breaker !== "open");
    this.#panic = well.length < this.policy.panicShare * staying.length;
    const used = this.#panic ? staying : well.length > 0 ? well : healthy;
    const begin = Math.floor((this.#offset ?? 0) * used.length);
    return [...used.slice(begin), ...used.slice(0, begin)];
  }
}
