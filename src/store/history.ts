// SPDX-License-Identifier: Apache-2.0
// The last changes, kept once for all watchers. A watcher is only a cursor into it: however slow it is, it holds no
// queue of its own; when its place has been dropped it is told that it lagged and lists again.
import { FairleadError } from "#base/errors.ts";
import { storeErrors } from "./errors.ts";
import type { Revision, StoreChange, WatchOptions } from "./store.ts";

/** A change with its value still as JSON: each watcher gets an object of its own. */
export interface RecordedChange {
  readonly kind: "put" | "delete";
  readonly key: string;
  readonly text?: string;
}

export interface HistoryLimits {
  /** Most changes kept. Raising it lets watchers lag longer; costs about 200 bytes each plus the value. */
  readonly changesMax: number;
  /** Most bytes of keys and values kept. */
  readonly bytesMax: number;
}

/** Enough for minutes of a busy node, small beside the 120 MB that a node may use. */
export const HISTORY_LIMITS: HistoryLimits = { changesMax: 8192, bytesMax: 4 * 1024 * 1024 };

export interface HistoryOptions {
  readonly limits?: HistoryLimits;
  /**
   * Whether revisions may be left out, as others have made them: then a watcher may also wait for what comes after one
   * that has not been appended.
   */
  readonly gaps?: boolean;
  /** The value of a change that has a text. By default each watcher gets one of its own. */
  readonly parse?: (change: RecordedChange) => unknown;
}

export interface History {
  /** The revision last appended. */
  readonly revision: Revision;
  /** Adds the changes of the transaction that made `revision`, the next one, and wakes the watchers. */
  append(revision: Revision, changes: readonly RecordedChange[]): void;
  /** As Store.watch. */
  watch(
    prefix: string,
    from: Revision,
    options: WatchOptions,
  ): AsyncGenerator<readonly StoreChange[], void, undefined>;
  /** Every watcher throws `reason` from now on. */
  close(reason: FairleadError): void;
}

/** Which keys a watcher wants. */
interface Choice {
  /** Equal for those that want the same. */
  readonly name: string;
  readonly prefix: string;
  readonly except: string | undefined;
}

/** Watchers that wait, of those that want the same keys: what concerns none of them is looked at once. */
interface Waiters extends Choice {
  /** Called with the revision that concerns them; with none when the history ends. */
  readonly wakers: Set<(revision: Revision | undefined) => void>;
}

function concerns({ prefix, except }: Choice, { key }: RecordedChange): boolean {
  return key.startsWith(prefix) && (except === undefined || !key.startsWith(except));
}

interface Kept {
  readonly revision: Revision;
  readonly changes: readonly RecordedChange[];
  readonly sizeBytes: number;
}

/** A history that starts empty after `revision`. */
export function createHistory(
  revision: Revision,
  { limits = HISTORY_LIMITS, gaps = false, parse = parseText }: HistoryOptions = {},
): History {
  /** Oldest first. */
  const kept: Kept[] = [];
  /** By what they want. */
  const waiting = new Map<string, Waiters>();
  let newest = revision;
  let floor = revision;
  let keptChanges = 0;
  let keptBytes = 0;
  let closed: FairleadError | undefined;

  function dropOldest(): void {
    const oldest = kept.shift();
    floor = oldest?.revision ?? floor;
    keptChanges -= oldest?.changes.length ?? 0;
    keptBytes -= oldest?.sizeBytes ?? 0;
  }

  /** The first that came after it. */
  function findAfter(cursor: Revision): Kept | undefined {
    let [low, high] = [0, kept.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((kept[middle]?.revision ?? Infinity) > cursor) high = middle;
      else low = middle + 1;
    }
    return kept[low];
  }

  function wake({ wakers }: Waiters, at: Revision | undefined): void {
    const woken = [...wakers];
    wakers.clear();
    for (const waker of woken) waker(at);
  }

  function findWaiters(choice: Choice): Waiters {
    const found = waiting.get(choice.name) ?? { ...choice, wakers: new Set() };
    waiting.set(choice.name, found);
    return found;
  }

  /** What waits, each time again, for the revision of the next change that concerns a watcher; for none when there will be none. */
  function createWaiting(choice: Choice, signal: AbortSignal) {
    let finish = (_at: Revision | undefined): void => undefined;
    // One listener for all waits: adding one costs more than a wait.
    const abort = (): void => finish(undefined);
    signal.addEventListener("abort", abort, { once: true });
    return {
      wait(): Promise<Revision | undefined> {
        const { wakers } = findWaiters(choice);
        return new Promise((resolve) => {
          finish = (at) => {
            wakers.delete(finish);
            resolve(at);
          };
          wakers.add(finish);
        });
      },
      [Symbol.dispose]: () => signal.removeEventListener("abort", abort),
    };
  }

  return {
    get revision() {
      return newest;
    },
    append(next, changes) {
      const sizeBytes = changes.reduce((sum, c) => sum + c.key.length + (c.text?.length ?? 0), 0);
      kept.push({ revision: next, changes, sizeBytes });
      newest = next;
      keptChanges += changes.length;
      keptBytes += sizeBytes;
      const { changesMax, bytesMax } = limits;
      while (kept.length > 1 && (keptChanges > changesMax || keptBytes > bytesMax)) dropOldest();
      for (const waiters of waiting.values())
        if (waiters.wakers.size > 0 && changes.some((change) => concerns(waiters, change)))
          wake(waiters, next);
    },
    async *watch(prefix, from, { signal, except }) {
      const choice = { name: JSON.stringify([prefix, except]), prefix, except };
      using seat = createWaiting(choice, signal);
      for (let cursor = from; ;) {
        signal.throwIfAborted();
        if (closed !== undefined) throw closed;
        if (cursor < floor || (cursor > newest && !gaps)) throw createLagged(cursor, floor, newest);
        const next = findAfter(cursor);
        if (next === undefined) {
          const at = await seat.wait();
          // What came while it waited and is not its own is passed over, also when it has been dropped since.
          if (at !== undefined) cursor = Math.max(cursor, at - 1);
          continue;
        }
        cursor = next.revision;
        const own = next.changes.filter((change) => concerns(choice, change));
        const changes = own.map((change) => revealChange(change, cursor, parse));
        if (changes.length > 0) yield changes;
      }
    },
    close(reason) {
      closed = reason;
      kept.length = 0;
      for (const waiters of waiting.values()) wake(waiters, undefined);
    },
  };
}

function parseText({ text = "null" }: RecordedChange): unknown {
  return JSON.parse(text);
}

function revealChange(
  change: RecordedChange,
  revision: Revision,
  parse: NonNullable<HistoryOptions["parse"]>,
): StoreChange {
  const { kind, key, text } = change;
  if (text === undefined) return { kind, key, revision };
  return { kind, key, revision, value: parse(change) };
}

function createLagged(from: Revision, oldest: Revision, newest: Revision): FairleadError {
  return new FairleadError(
    storeErrors["store-lagged"],
    `The changes after revision ${from} are no longer kept`,
    { facts: { from, oldest, newest } },
  );
}
