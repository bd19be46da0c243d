// SPDX-License-Identifier: Apache-2.0
// What somebody takes away of the rules that stand on the host itself: looked for at once where the guard can tell, and an alert for
// as long as it is news.
import type { Clock } from "#base/clock.ts";
import type { Guard } from "#guard/guard.ts";

/** So soon a watch that has ended is begun anew, each time twice as long, ms. */
const RETRY_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** Who takes rules away again and again is not answered more often, ms. */
const PAUSE_MS = 100;
/** So long a repair is news, ms. */
const NEWS_MS = 3_600_000;
/** Of who takes them away all the time no more is kept. */
const NEWS_MAX = 1_000;

export interface HostWatchOptions {
  readonly guard: Pick<Guard, "watchLosses">;
  readonly clock: Clock;
  /** Told that something is gone. */
  readonly onLoss: () => void;
}

/** Watches over the host's own rules while there are any. */
export interface HostWatch {
  /** From now on, or no more. Nothing is watched before. */
  keep(isWanted: boolean): void;
  /** Whether something is gone since this was asked last. */
  takeLoss(): boolean;
  /** Notes that rules were made again that somebody had taken away. */
  noteRepair(): void;
  /** Of repairs in the last hour. */
  readonly told: string | undefined;
  /** Resolves when nothing is watched any more. */
  end(): Promise<void>;
}

/** Makes one that watches nothing yet. */
export function createHostWatch({ guard, clock, onLoss }: HostWatchOptions): HostWatch {
  let stop: AbortController | undefined;
  let watching: Promise<unknown> = Promise.resolve();
  let isLost = false;
  /** When, ms since 1970. */
  let repairs: readonly number[] = [];

  const rest = (delayMs: number, signal: AbortSignal): Promise<void> =>
    clock.sleep(delayMs, signal).catch(() => undefined);

  /** Until the watch ends by itself. */
  async function watchOnce(signal: AbortSignal): Promise<void> {
    for await (const _tables of guard.watchLosses?.(signal) ?? []) {
      isLost = true;
      onLoss();
      await rest(PAUSE_MS, signal);
    }
  }

  async function watch(signal: AbortSignal): Promise<void> {
    let retryMs = RETRY_MS;
    while (!signal.aborted) {
      const begunMs = clock.monotonicMs();
      await watchOnce(signal);
      if (clock.monotonicMs() - begunMs > RETRY_MAX_MS) retryMs = RETRY_MS;
      await rest(retryMs, signal);
      retryMs = Math.min(RETRY_MAX_MS, retryMs * 2);
    }
  }

  function keep(isWanted: boolean): void {
    if (isWanted === (stop !== undefined)) return;
    stop?.abort();
    stop = undefined;
    if (!isWanted) return;
    stop = new AbortController();
    watching = Promise.all([watching, watch(stop.signal)]);
  }

  return {
    keep,
    takeLoss() {
      const was = isLost;
      isLost = false;
      return was;
    },
    noteRepair() {
      repairs = [...repairs, clock.nowMs()].slice(-NEWS_MAX);
    },
    get told() {
      repairs = repairs.filter((atMs) => clock.nowMs() - atMs < NEWS_MS);
      if (repairs.length === 0) return undefined;
      const often = repairs.length === 1 ? "once" : `${repairs.length} times`;
      return `packet rules of policy on this host were taken away ${often} within the last hour, and made again: see who loads or flushes packet rules there`;
    },
    async end() {
      keep(false);
      await watching;
    },
  };
}
