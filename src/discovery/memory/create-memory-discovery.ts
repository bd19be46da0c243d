// SPDX-License-Identifier: Apache-2.0
// Discovery inside of one process: for tests, and for a fabric without a network.
import { FairleadError } from "#base/errors.ts";
import type { Discovery } from "#discovery/discovery.ts";
import { discoveryErrors } from "#discovery/errors.ts";
import { createRoster, type Roster } from "#discovery/roster.ts";

/** What stands for the network: those who join it see each other. */
export interface MemoryNetwork {
  /** Another member of the network. */
  join(): Discovery;
}

/** A network in memory, without members. */
export function createMemoryNetwork(): MemoryNetwork {
  const roster = createRoster();
  return { join: () => createMember(roster) };
}

/** One member; closing it takes back only what it announced, and ends its own watches. */
function createMember(roster: Roster): Discovery {
  const closing = new AbortController();
  const announced = new Map<string, symbol>();
  return {
    kind: "memory",
    announce(record) {
      if (closing.signal.aborted) {
        return Promise.reject(
          new FairleadError(discoveryErrors["discovery-closed"], "This discovery is closed"),
        );
      }
      const turn = Symbol(record.id);
      announced.set(record.id, turn);
      roster.put(structuredClone(record));
      return Promise.resolve({
        id: record.id,
        [Symbol.asyncDispose]() {
          // An announcement that was replaced has nothing to take back.
          if (announced.get(record.id) === turn) {
            announced.delete(record.id);
            roster.remove(record.id, "left");
          }
          return Promise.resolve();
        },
      });
    },
    watch: (signal) => roster.watch(AbortSignal.any([signal, closing.signal])),
    list: () => roster.list(),
    [Symbol.asyncDispose]() {
      for (const id of announced.keys()) roster.remove(id, "left");
      announced.clear();
      closing.abort();
      return Promise.resolve();
    },
  };
}
