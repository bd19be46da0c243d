// SPDX-License-Identifier: Apache-2.0
// Calls to instances with a few workers each and a queue, event by event, on a clock of their own.
import type { Balancer } from "@fairlead/routing/balancer.ts";
import type { Endpoint } from "@fairlead/routing/endpoint.ts";

const CALLS = 200_000;
const WORKERS = 8;
const SERVICE_MS = 10;
/** Of what all instances can do. */
const UTILISATION = 0.4;
const SLOW = { place: 3, times: 10 };
const FAILING = { place: 7, afterMs: 1 };
const ATTEMPTS_MAX = 3;

interface Instance {
  readonly place: number;
  busy: number;
  readonly queue: Call[];
  inFlight: number;
  /** Calls in flight, summed up over time. */
  area: number;
  sinceMs: number;
}

interface Call {
  readonly beganMs: number;
  sentMs: number;
  readonly tried: Set<string>;
}

interface Event {
  readonly atMs: number;
  readonly run: () => void;
}

/** Events, the earliest first: a binary heap. */
class Agenda {
  readonly #heap: Event[] = [];

  add(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const above = heap[up];
      if (above === undefined || above.atMs <= event.atMs) break;
      heap[at] = above;
      at = up;
    }
    heap[at] = event;
  }

  next(): Event | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (let child = 1; child < heap.length; child = at * 2 + 1) {
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      const isRight = right !== undefined && right.atMs < left.atMs;
      const less = isRight ? right : left;
      if (less.atMs >= last.atMs) break;
      heap[at] = less;
      at = isRight ? child + 1 : child;
    }
    heap[at] = last;
    return first;
  }
}

export interface Simulated {
  /** From a call's beginning to its answer, repetitions included. */
  readonly p99Ms: number;
  /** Calls in flight with the busiest instance against the mean of all, both averaged over time. */
  readonly imbalance: number;
}

/** A world with one caller. */
class World {
  readonly #balancer: Balancer<Endpoint>;
  readonly #endpoints: readonly Endpoint[];
  readonly #random: () => number;
  readonly #agenda = new Agenda();
  readonly #instances: ReadonlyMap<string, Instance>;
  readonly #tookMs: number[] = [];
  #nowMs = 0;

  constructor(balancer: Balancer<Endpoint>, endpoints: readonly Endpoint[], random: () => number) {
    this.#balancer = balancer;
    this.#endpoints = endpoints;
    this.#random = random;
    this.#instances = new Map(
      endpoints.map(({ id }, place) => [
        id,
        { place, busy: 0, queue: [], inFlight: 0, area: 0, sinceMs: 0 },
      ]),
    );
  }

  run(): Simulated {
    this.#arrive(CALLS);
    for (let event = this.#agenda.next(); event !== undefined; event = this.#agenda.next()) {
      this.#nowMs = event.atMs;
      event.run();
    }
    const sorted = Float64Array.from(this.#tookMs).sort();
    const areas = [...this.#instances.values()].map(({ area }) => area);
    const mean = areas.reduce((sum, area) => sum + area, 0) / areas.length;
    return {
      p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
      imbalance: Math.max(...areas) / mean,
    };
  }

  /** Times between calls, and those of the work, are exponential. */
  #draw(meanMs: number): number {
    return -Math.log(1 - this.#random()) * meanMs;
  }

  #arrive(left: number): void {
    if (left === 0) return;
    this.#send({ beganMs: this.#nowMs, sentMs: this.#nowMs, tried: new Set() });
    const gapMs = SERVICE_MS / (UTILISATION * WORKERS * this.#endpoints.length);
    this.#agenda.add({
      atMs: this.#nowMs + this.#draw(gapMs),
      run: () => this.#arrive(left - 1),
    });
  }

  #send(call: Call): void {
    const hint = { key: `user-${Math.floor(this.#random() * 10_000)}`, avoid: call.tried };
    const picked = this.#balancer.pick(this.#endpoints, this.#nowMs, this.#random, hint);
    const instance = this.#instances.get(picked?.id ?? "");
    if (picked === undefined || instance === undefined)
      throw new Error("nobody takes calls, which no strategy may say here");
    this.#balancer.started(picked.id);
    call.sentMs = this.#nowMs;
    call.tried.add(picked.id);
    this.#count(instance, 1);
    instance.queue.push(call);
    this.#work(instance, picked.id);
  }

  #count(instance: Instance, change: number): void {
    instance.area += instance.inFlight * (this.#nowMs - instance.sinceMs);
    instance.sinceMs = this.#nowMs;
    instance.inFlight += change;
  }

  #work(instance: Instance, id: string): void {
    if (instance.busy >= WORKERS) return;
    const call = instance.queue.shift();
    if (call === undefined) return;
    instance.busy++;
    const failing = instance.place === FAILING.place;
    const meanMs = SERVICE_MS * (instance.place === SLOW.place ? SLOW.times : 1);
    const workMs = failing ? FAILING.afterMs : this.#draw(meanMs);
    this.#agenda.add({
      atMs: this.#nowMs + workMs,
      run: () => {
        instance.busy--;
        this.#count(instance, -1);
        this.#answer(call, id, failing);
        this.#work(instance, id);
      },
    });
  }

  #answer(call: Call, id: string, failing: boolean): void {
    const outcome = failing ? "failed" : "ok";
    this.#balancer.ended(id, this.#nowMs - call.sentMs, outcome, this.#nowMs);
    if (!failing) this.#tookMs.push(this.#nowMs - call.beganMs);
    else if (call.tried.size < ATTEMPTS_MAX) this.#send(call);
    else throw new Error(`a call failed ${ATTEMPTS_MAX} times, at instances that differ`);
  }
}

/** Makes the calls of one caller and waits for all of them. */
export function simulateCalls(
  balancer: Balancer<Endpoint>,
  endpoints: readonly Endpoint[],
  random: () => number,
): Simulated {
  return new World(balancer, endpoints, random).run();
}
