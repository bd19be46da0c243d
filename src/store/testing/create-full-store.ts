// SPDX-License-Identifier: Apache-2.0
// A store whose disk can be filled: it reads on and refuses writes, as the drivers do.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";

export interface FullStore {
  readonly store: Store;
  /** From now on writes are refused. */
  fill(): void;
  free(): void;
  /** Holds the next write until the returned function lets it go on: to fail when `fail`, else to be done. */
  holdNext(): (end: { readonly fail: boolean }) => void;
}

/** The memory driver with a disk that has room, until `fill`. */
export async function createFullStore(clock: Clock): Promise<FullStore> {
  const inner = await openStore({ kind: "memory" }, { clock });
  let full = false;
  let held: Promise<{ readonly fail: boolean }> | undefined;
  const refuse = (): never => {
    throw new FairleadError(storeErrors["store-full"], "no space left on device");
  };
  const store: Store = {
    kind: inner.kind,
    operationsMax: inner.operationsMax,
    get: (key, options) => inner.get(key, options),
    list: (prefix, options) => inner.list(prefix, options),
    measure: (prefix, options) => inner.measure(prefix, options),
    async transact(operations, conditions, options) {
      const waiting = held;
      held = undefined;
      if ((await waiting)?.fail === true || full) return refuse();
      return inner.transact(operations, conditions, options);
    },
    watch: (prefix, from, options) => inner.watch(prefix, from, options),
    grantLease: (ttlMs, options) => inner.grantLease(ttlMs, options),
    renewLease: (id, options) => inner.renewLease(id, options),
    revokeLease: (id, options) => inner.revokeLease(id, options),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
  return {
    store,
    fill: () => {
      full = true;
    },
    free: () => {
      full = false;
    },
    holdNext() {
      const gate = Promise.withResolvers<{ readonly fail: boolean }>();
      held = gate.promise;
      return gate.resolve;
    },
  };
}
