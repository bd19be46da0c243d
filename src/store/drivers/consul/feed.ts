// SPDX-License-Identifier: Apache-2.0
// What changes in Consul, by one blocking query for all watchers. Consul keeps no history: an answer is all that there is
// now, so it is compared with the last one. Of several changes of a key between two answers the last one is seen, and a
// deletion has the index of the answer in which the key was missing.
import type { Clock } from "#base/clock.ts";
import { FairleadError, isKind } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import { createHistory, type History, type RecordedChange } from "#store/history.ts";
import type { Revision } from "#store/store.ts";
import type { ConsulConnection } from "./connection.ts";
import { decodeValue, type KvPair } from "./messages.ts";

export interface FeedOptions {
  /** Stands before every key, and is itself the key of no entry. */
  readonly prefix: string;
  readonly clock: Clock;
}

export interface Feed {
  /** Everything up to this was seen, or was written here. */
  readonly position: Revision;
  /** Says what was written here, before the feed may have seen it. */
  noteWritten(revision: Revision): void;
  /** As Store.watch; `from` is a revision that there was. */
  watch: History["watch"];
  stop(reason: FairleadError): void;
}

/** How long Consul holds an answer back while nothing changes; it adds up to a sixteenth. */
const WAIT_SECONDS = 30;
const WAIT_MS_MAX = 34_000;
/** Between two answers, so that a busy store is read at most 50 times a second. */
const REST_MS = 20;
const PAUSE_MS = { min: 100, max: 2_000 };

interface Listed {
  readonly index: Revision;
  readonly pairs: readonly KvPair[];
}

/** Reads everything first. Throws what the connection throws. */
export async function openFeed(
  connection: ConsulConnection,
  { prefix, clock }: FeedOptions,
): Promise<Feed> {
  const stopping = new AbortController();
  const { signal } = stopping;
  const known = new Map<string, Revision>();
  let last = 0;
  let seen: Revision = 0;
  let written: Revision = 0;
  let history = createHistory(0, { gaps: true });

  async function list(after: Revision): Promise<Listed> {
    const blocking = after === 0 ? "&consistent" : `&index=${after}&wait=${WAIT_SECONDS}s`;
    const { index, status, text } = await connection.ask(
      `/v1/kv/${prefix}?recurse${blocking}`,
      { method: "GET", signal, repeatable: after === 0, patienceMs: after === 0 ? 0 : WAIT_MS_MAX },
      [200, 404],
    );
    const all = status === 404 ? [] : (JSON.parse(text) as readonly KvPair[]);
    return { index, pairs: all.filter(({ Key }) => Key !== prefix) };
  }

  /** Begins a history of its own with what there is: whoever watched has to list again. */
  function begin({ index, pairs }: Listed): void {
    const { revision } = history;
    history.close(
      new FairleadError(storeErrors["store-lagged"], "Consul has other entries than it had", {
        facts: { from: revision, newest: index },
      }),
    );
    history = createHistory(index, { gaps: true });
    known.clear();
    for (const { Key, ModifyIndex } of pairs) known.set(Key, ModifyIndex);
    [last, seen, written] = [index, index, 0];
  }

  /** The changes of an answer by the index that made them. */
  function compare({ index, pairs }: Listed): ReadonlyMap<Revision, readonly RecordedChange[]> {
    const changed = new Map<Revision, RecordedChange[]>();
    function note(revision: Revision, change: RecordedChange): void {
      const group = changed.get(revision) ?? [];
      group.push(change);
      changed.set(revision, group);
    }
    const nameOf = (key: string): string => key.slice(prefix.length);
    for (const pair of pairs)
      if (known.get(pair.Key) !== pair.ModifyIndex)
        note(pair.ModifyIndex, { kind: "put", key: nameOf(pair.Key), text: decodeValue(pair) });
    const present = new Set(pairs.map(({ Key }) => Key));
    for (const key of known.keys())
      if (!present.has(key)) note(index, { kind: "delete", key: nameOf(key) });
    return changed;
  }

  function take(listed: Listed): void {
    const changed = compare(listed);
    const revisions = [...changed.keys()].toSorted((a, b) => a - b);
    const [oldest] = revisions;
    // Its index goes back when it forgets what was deleted long ago. What is new has a newer index, unless all is new.
    if (oldest !== undefined && oldest <= seen) {
      begin(listed);
      return;
    }
    for (const revision of revisions) history.append(revision, changed.get(revision) ?? []);
    if (revisions.length > 0) {
      known.clear();
      for (const { Key, ModifyIndex } of listed.pairs) known.set(Key, ModifyIndex);
    }
    // Consul asks for this: what it says next is whole, whatever made its index go back.
    last = listed.index < last ? 0 : listed.index;
    seen = Math.max(seen, listed.index);
  }

  async function run(): Promise<void> {
    // After a failure all is read at once: who answers now may know nothing of that index.
    let after = last;
    for (let pauseMs = PAUSE_MS.min; !signal.aborted;) {
      try {
        take(await list(after));
        after = last;
        pauseMs = PAUSE_MS.min;
        await clock.sleep(REST_MS, signal);
      } catch (thrown) {
        if (signal.aborted) return;
        after = 0;
        if (!isKind(thrown, storeErrors["store-unavailable"])) {
          const { revision } = history;
          history.close(FairleadError.from(thrown));
          history = createHistory(revision, { gaps: true });
        }
        await clock.sleep(pauseMs, signal).catch(() => undefined);
        pauseMs = Math.min(2 * pauseMs, PAUSE_MS.max);
      }
    }
  }

  begin(await list(0));
  void run();
  return {
    get position() {
      return Math.max(seen, written);
    },
    noteWritten(revision) {
      written = Math.max(written, revision);
    },
    async *watch(under, from, watching) {
      yield* history.watch(under, from, watching);
    },
    stop(reason) {
      stopping.abort(reason);
      history.close(reason);
    },
  };
}
