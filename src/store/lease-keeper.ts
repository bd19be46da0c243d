// SPDX-License-Identifier: Apache-2.0
// Deadlines of leases on the monotonic clock: a jump of the wall clock neither ends nor prolongs one.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { storeErrors } from "./errors.ts";

/** How long to wait before deleting the keys of expired leases is tried again, for example while the disk is full. */
const RETRY_MS = 1000;
/** Why a timer was ended: told to nobody, and cheaper than a reason with a stack. */
const EARLIER = "it is not waited for any more";

export interface LeaseKeeper {
  /** Starts or restarts the countdown. */
  start(id: string, ttlMs: number, remainingMs?: number): void;
  /** Restarts the countdown; false when it had run out or is unknown. */
  renew(id: string): boolean;
  isLive(id: string): boolean;
  /** Throws FL0406 `lease-expired` unless it is live. */
  checkLive(id: string): void;
  remove(id: string): void;
  /** What is left of each lease; 0 for one that ran out and whose keys are not deleted yet. */
  listRemaining(): readonly { readonly id: string; readonly remainingMs: number }[];
  /** Ends the countdown; nothing expires any more. */
  stop(): void;
}

interface Countdown {
  readonly ttlMs: number;
  deadlineMs: number;
}

/**
 * Calls `expire` with all leases that ran out, and again after a pause when it rejects. A lease that ran out is not
 * live from that very millisecond, whether or not `expire` has succeeded yet.
 */
export function createLeaseKeeper(
  clock: Clock,
  expire: (ids: readonly string[]) => Promise<void>,
): LeaseKeeper {
  const countdowns = new Map<string, Countdown>();
  let isStopped = false;
  let timer: { readonly atMs: number; readonly cancel: AbortController } | undefined;

  /** Makes sure that the timer fires by `atMs`. */
  function arm(atMs: number): void {
    if (isStopped || (timer !== undefined && timer.atMs <= atMs)) return;
    timer?.cancel.abort(EARLIER);
    const cancel = new AbortController();
    timer = { atMs, cancel };
    clock.sleep(Math.max(0, atMs - clock.monotonicMs()), cancel.signal).then(collect, () => {
      // Whoever cancelled it has armed the next one, or stopped all.
    });
  }

  async function collect(): Promise<void> {
    timer = undefined;
    const nowMs = clock.monotonicMs();
    const ids = [...countdowns].filter(([, c]) => c.deadlineMs <= nowMs).map(([id]) => id);
    try {
      if (ids.length > 0) await expire(ids);
      for (const id of ids) countdowns.delete(id);
      armNext(0);
    } catch {
      // The keys stay until the store can write again; the leases are not live meanwhile.
      armNext(clock.monotonicMs() + RETRY_MS);
    }
  }

  function armNext(notBeforeMs: number): void {
    let atMs = Infinity;
    for (const { deadlineMs } of countdowns.values()) atMs = Math.min(atMs, deadlineMs);
    if (atMs !== Infinity) arm(Math.max(atMs, notBeforeMs));
  }

  function isLive(id: string): boolean {
    const countdown = countdowns.get(id);
    return countdown !== undefined && clock.monotonicMs() < countdown.deadlineMs;
  }

  return {
    isLive,
    checkLive(id) {
      if (!isLive(id)) throw createExpired(id);
    },
    start(id, ttlMs, remainingMs = ttlMs) {
      const deadlineMs = clock.monotonicMs() + Math.min(ttlMs, Math.max(0, remainingMs));
      countdowns.set(id, { ttlMs, deadlineMs });
      arm(deadlineMs);
    },
    renew(id) {
      const countdown = countdowns.get(id);
      if (countdown === undefined || !isLive(id)) return false;
      countdown.deadlineMs = clock.monotonicMs() + countdown.ttlMs;
      return true;
    },
    remove(id) {
      countdowns.delete(id);
    },
    listRemaining() {
      const nowMs = clock.monotonicMs();
      return [...countdowns].map(([id, { deadlineMs }]) => ({
        id,
        remainingMs: Math.max(0, Math.floor(deadlineMs - nowMs)),
      }));
    },
    stop() {
      isStopped = true;
      timer?.cancel.abort(EARLIER);
    },
  };
}

/** The error for a lease that is not live. */
export function createExpired(id: string): FairleadError {
  return new FairleadError(storeErrors["lease-expired"], `Lease "${id}" has expired`, {
    facts: { lease: id },
  });
}
