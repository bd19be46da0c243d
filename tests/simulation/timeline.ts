// SPDX-License-Identifier: Apache-2.0
// Virtual time: what is to happen, in the order of its time, and of equals in the order in which it was asked for.

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly act: () => void;
  readonly wakes: boolean;
}

/** The one time of a simulated world. */
export interface Timeline {
  /** Milliseconds since the world began. */
  readonly nowMs: number;
  /** Runs `act` at that time, or at once when that is over. */
  at(atMs: number, act: () => void): void;
  /** Likewise, for what nobody awaits: what follows from it may be done with the next event of the other kind. */
  atQuietly(atMs: number, act: () => void): void;
  /** Lets time pass. After each event that somebody awaits all that follows from it without time is done before the next. */
  runFor(durationMs: number): Promise<void>;
  /** Events that have been. */
  readonly events: number;
}

/** Events that somebody awaits, between two looks at sockets. */
const BATCH = 64;

function comesBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** Empty time. */
export function createTimeline(): Timeline {
  const heap: Event[] = [];
  let nowMs = 0;
  let order = 0;
  let events = 0;

  function push(event: Event): void {
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !comesBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  function pop(): Event | undefined {
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      let least = heap[child];
      const right = heap[child + 1];
      if (least === undefined) break;
      if (right !== undefined && comesBefore(right, least)) {
        least = right;
        child++;
      }
      if (!comesBefore(least, last)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
    return first;
  }

  /** Up to and with the next one that somebody awaits; false when there is none until then. */
  function runNext(untilMs: number): boolean {
    for (let next = heap[0]; next !== undefined && next.atMs <= untilMs; next = heap[0]) {
      pop();
      nowMs = next.atMs;
      events++;
      next.act();
      if (next.wakes) return true;
    }
    return false;
  }

  /**
   * After each immediate of Node's all promises that can go on without time do so, before the next one: nothing here waits for
   * a real timer. A batch of them has no look at sockets in between, which would cost more than most events.
   */
  function runBatch(untilMs: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let isMore = true;
      const step = (): void => {
        try {
          isMore &&= runNext(untilMs);
        } catch (thrown) {
          isMore = false;
          reject(thrown as Error);
        }
      };
      for (let count = 0; count < BATCH; count++) setImmediate(step);
      setImmediate(() => resolve(isMore));
    });
  }

  const add = (atMs: number, act: () => void, wakes: boolean): void =>
    push({ atMs: Math.max(nowMs, atMs), order: order++, act, wakes });

  return {
    get nowMs() {
      return nowMs;
    },
    get events() {
      return events;
    },
    at: (atMs, act) => add(atMs, act, true),
    atQuietly: (atMs, act) => add(atMs, act, false),
    async runFor(durationMs) {
      const untilMs = nowMs + durationMs;
      while (await runBatch(untilMs));
      nowMs = untilMs;
    },
  };
}
