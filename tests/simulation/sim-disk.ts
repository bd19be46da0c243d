// SPDX-License-Identifier: Apache-2.0
// A host's own disk, with the store on it, as one life of its node uses it: slow at times, and silent once that has ended.
import type { Store } from "#store/store.ts";
import type { Life } from "./life.ts";

/** How the disk is. */
export interface DiskHealth {
  /** The longest that it takes to keep what is written. */
  delayMsMax: number;
}

/** A quiet disk, milliseconds. */
export const DISK_MS = 2;

/** The store as that life has it. What was written stays, whether or not the writer lives to hear of it. */
export function createDiskDoor(
  store: Store,
  { life, health, random }: { life: Life; health: DiskHealth; random: () => number },
): Store {
  return {
    ...store,
    async transact(operations, conditions, options) {
      await life.clock.sleep(random() * health.delayMsMax);
      return store.transact(operations, conditions, options);
    },
    async *watch(prefix, from, options) {
      for await (const changes of store.watch(prefix, from, options)) {
        await life.clock.sleep(0);
        yield changes;
      }
    },
  };
}
