// SPDX-License-Identifier: Apache-2.0
// Keeps what grows without end (decisions, events) within limits. Keys must sort by age, as those of createId do.
import type { Entry, Store } from "./store.ts";

export interface PruneOptions {
  readonly prefix: string;
  /** Keeps at most this many entries. */
  readonly countMax?: number;
  /** Keeps at most this many bytes of keys and values. */
  readonly sizeMaxBytes?: number;
  /** Deletes every key below this one. */
  readonly beforeKey?: string;
  /** Entries deleted in one transaction: larger is faster, and holds up other writers longer. */
  readonly chunk?: number;
  readonly signal?: AbortSignal;
}

/** Deletes the oldest entries under the prefix until every limit given holds; returns how many. Other writers get their turn in between. */
export async function pruneStore(
  store: Store,
  {
    prefix,
    countMax = Infinity,
    sizeMaxBytes = Infinity,
    beforeKey = "",
    chunk = Math.min(256, store.operationsMax),
    signal,
  }: PruneOptions,
): Promise<number> {
  const call = signal === undefined ? {} : { signal };
  const present = await store.measure(prefix, call);
  const pruned = { entries: 0, sizeBytes: 0 };
  function isTooMuch(entry: Entry): boolean {
    return (
      entry.key < beforeKey ||
      present.entries - pruned.entries > countMax ||
      present.sizeBytes - pruned.sizeBytes > sizeMaxBytes
    );
  }
  for (let isDone = false; !isDone;) {
    const { entries } = await store.list(prefix, { ...call, limit: chunk });
    const old: Entry[] = [];
    for (const entry of entries) {
      if (!isTooMuch(entry)) break;
      old.push(entry);
      pruned.entries++;
      pruned.sizeBytes += measureEntry(entry);
    }
    if (old.length > 0) {
      await store.transact(
        old.map(({ key }) => ({ kind: "delete", key })),
        [],
        call,
      );
    }
    isDone = old.length < chunk;
  }
  return pruned.entries;
}

/** Bytes of an entry as Store.measure counts them. */
function measureEntry({ key, value }: Entry): number {
  return key.length + Buffer.byteLength(JSON.stringify(value));
}
