// SPDX-License-Identifier: Apache-2.0
// A room of the fleet's store that is large and that few nodes need: what all nodes say of themselves is of use to the
// leader, and to a node that somebody asks how the fleet stands. It is taken in, by a list and a watch from there, only
// while somebody holds it, and for a while after.
import type { Clock } from "#base/clock.ts";
import type { Snapshot, Store, StoreChange } from "#store/store.ts";

/** Who has just asked often asks again. */
const LINGER_MS = 60_000;
/** Why its watch ends: told to nobody, and cheaper than a reason with a stack. */
const LEFT = "nobody holds it";

/** What is held until disposed of. */
export interface RoomHold extends Disposable {
  /** Resolves once the picture has the room, or that cannot be expected: the store does not answer. Never rejects. */
  readonly ready: Promise<void>;
}

export interface HeldRoomOptions {
  /** All its keys begin so. */
  readonly prefix: string;
  readonly clock: Clock;
  /** Called with all that stands in it. */
  readonly onList: (snapshot: Snapshot) => void;
  readonly onChanges: (changes: readonly StoreChange[]) => void;
  /** Called when nobody has held it for a while: it is not known any more. */
  readonly onLeave: () => void;
}

export interface HeldRoom {
  /** Whether it is known as it stands in the store, or stood when that last answered. */
  readonly isKnown: boolean;
  hold(): RoomHold;
  /** What stands in it now, where somebody holds it. */
  read(store: Store, signal: AbortSignal): Promise<Snapshot | undefined>;
  /** Follows it, from what was read if anything was, whenever somebody holds it, until the signal aborts. */
  follow(store: Store, read: Snapshot | undefined, signal: AbortSignal): Promise<never>;
  /** Nobody has to wait for it any longer: the store does not answer. */
  giveUp(): void;
}

/** Makes it, held by nobody. */
export function createHeldRoom(options: HeldRoomOptions): HeldRoom {
  const { prefix, clock, onList, onChanges, onLeave } = options;
  const waiting: (() => void)[] = [];
  let holders = 0;
  let heldMs = -Infinity;
  let isKnown = false;
  let isHopeless = false;
  let wake = (): void => undefined;

  const isHeld = (): boolean => holders > 0 || clock.monotonicMs() - heldMs < LINGER_MS;

  function giveUp(): void {
    isHopeless = true;
    for (const resolve of waiting.splice(0)) resolve();
  }

  async function untilHeld(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const goOn = (): void => resolve();
    wake = goOn;
    // It comes here again and again, and the signal lasts as long as the store answers.
    signal.addEventListener("abort", goOn, { once: true });
    if (!isHeld() && !signal.aborted) await promise;
    signal.removeEventListener("abort", goOn);
    signal.throwIfAborted();
  }

  async function untilLeft(signal: AbortSignal): Promise<void> {
    while (isHeld()) await clock.sleep(LINGER_MS, signal);
  }

  function take(snapshot: Snapshot): void {
    isKnown = true;
    onList(snapshot);
    for (const resolve of waiting.splice(0)) resolve();
  }

  /** Until nobody has held it for a while. */
  async function watch(store: Store, from: number, signal: AbortSignal): Promise<void> {
    const leaving = new AbortController();
    const either = AbortSignal.any([signal, leaving.signal]);
    const left = untilLeft(either).then(() => leaving.abort(LEFT));
    left.catch(() => undefined);
    try {
      for await (const changes of store.watch(prefix, from, { signal: either })) onChanges(changes);
    } catch (thrown) {
      if (signal.aborted || !leaving.signal.aborted) throw thrown;
    } finally {
      leaving.abort(LEFT);
    }
    isKnown = false;
    onLeave();
  }

  return {
    get isKnown() {
      return isKnown;
    },
    hold() {
      holders++;
      wake();
      let isOver = false;
      const ready =
        isKnown || isHopeless
          ? Promise.resolve()
          : new Promise<void>((resolve) => waiting.push(resolve));
      return {
        ready,
        [Symbol.dispose]() {
          if (isOver) return;
          isOver = true;
          holders--;
          heldMs = clock.monotonicMs();
        },
      };
    },
    async read(store, signal) {
      return isHeld() ? store.list(prefix, { signal }) : undefined;
    },
    async follow(store, read, signal) {
      isHopeless = false;
      isKnown = false;
      if (read !== undefined) {
        take(read);
        await watch(store, read.revision, signal);
      }
      for (;;) {
        await untilHeld(signal);
        const snapshot = await store.list(prefix, { signal });
        take(snapshot);
        await watch(store, snapshot.revision, signal);
      }
    },
    giveUp,
  };
}
