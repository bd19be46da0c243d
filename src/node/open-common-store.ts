// SPDX-License-Identifier: Apache-2.0
// The store of what all nodes of a fleet know alike; of a node by itself its own.
import type { Fleet } from "#control/fleet.ts";
import type { Store } from "#store/store.ts";

/** Where entries stand that all nodes share, and where a copy of them goes. */
export interface CommonStore {
  readonly openStore: () => Promise<Store>;
  readonly own: Store | undefined;
}

/** Opens the fleet's store when it is first needed, once for all who share it. */
export function openCommonStore(
  store: Store,
  fleet: Pick<Fleet, "openStore"> | undefined,
  stack: AsyncDisposableStack,
): CommonStore {
  if (fleet === undefined) return { openStore: () => Promise.resolve(store), own: undefined };
  // The store may be opened long after everything has begun, when the caller's stack is another's.
  const opened = stack.use(new AsyncDisposableStack());
  let opening: Promise<Store> | undefined;
  return {
    own: store,
    openStore: () =>
      (opening ??= fleet.openStore().then(
        (one) => opened.use(one),
        (error: unknown) => {
          opening = undefined;
          throw error;
        },
      )),
  };
}
