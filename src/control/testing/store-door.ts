// SPDX-License-Identifier: Apache-2.0
// One store, seen through a door of one's own for each node: it can be shut, as when the network is cut, and what was
// written can be held up on its way, as by a process that is stopped in the middle of a call.
import { FairleadError } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import type { Store } from "#store/store.ts";

/** One node's way to a store. */
export interface StoreDoor {
  readonly store: Store;
  /** Every call fails, and watches end, until it is opened. */
  shut(): void;
  open(): void;
  /** Transactions wait until they are let go; they then reach the store, late, whether the door is shut or not. */
  hold(): () => void;
}

function createAway(): FairleadError {
  return new FairleadError(storeErrors["store-unavailable"], "the door is shut");
}

/** A door to `inner`, which stays open when the door's store is disposed of. */
export function createStoreDoor(inner: Store): StoreDoor {
  let closing = new AbortController();
  let held: Promise<void> | undefined;

  function pass<T>(call: () => Promise<T>): Promise<T> {
    return closing.signal.aborted ? Promise.reject(createAway()) : call();
  }

  async function* watch(...[prefix, from, { signal, ...rest }]: Parameters<Store["watch"]>) {
    const shut = closing.signal;
    try {
      yield* inner.watch(prefix, from, { ...rest, signal: AbortSignal.any([signal, shut]) });
    } catch (thrown) {
      throw shut.aborted ? createAway() : thrown;
    }
    if (shut.aborted) throw createAway();
  }

  const store: Store = {
    kind: inner.kind,
    operationsMax: inner.operationsMax,
    get: (...args) => pass(() => inner.get(...args)),
    list: (...args) => pass(() => inner.list(...args)),
    measure: (...args) => pass(() => inner.measure(...args)),
    transact: (...args) =>
      pass(async () => {
        await held;
        return inner.transact(...args);
      }),
    watch,
    grantLease: (...args) => pass(() => inner.grantLease(...args)),
    renewLease: (...args) => pass(() => inner.renewLease(...args)),
    revokeLease: (...args) => pass(() => inner.revokeLease(...args)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };

  return {
    store,
    shut: () => closing.abort(),
    open: () => void (closing = new AbortController()),
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return () => {
        held = undefined;
        resolve();
      };
    },
  };
}
