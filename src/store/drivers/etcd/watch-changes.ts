// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "#base/clock.ts";
import { FairleadError, isKind } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import type { Revision, StoreChange } from "#store/store.ts";
import type { EtcdConnection } from "./connection.ts";
import type { WatchResponse } from "./messages.ts";

const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 2_000;

export interface WatchedRange {
  readonly start: Buffer;
  readonly end: Buffer;
  /** The key as the store's users know it. */
  readonly nameOf: (key: Buffer) => string;
}

export interface WatchParts {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Throws when etcd has not come as far as this: the stream would be silent until it has. */
  readonly check: (seen: Revision) => Promise<void>;
}

/**
 * Changes after `from`, each transaction's together. Goes on at another member, or at the same one later, when the
 * stream breaks: none is missed or doubled. Throws FL0403 `store-lagged` when etcd has compacted what comes next, or lost it.
 */
export async function* watchChanges(
  connection: EtcdConnection,
  range: WatchedRange,
  from: Revision,
  { signal, clock, check }: WatchParts,
): AsyncGenerator<readonly StoreChange[], void, undefined> {
  let seen = from;
  let isAgain = false;
  for (let pauseMs = PAUSE_MIN_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
    try {
      if (isAgain) await check(seen);
      isAgain = true;
      for await (const response of readStream(connection, range, seen + 1, signal)) {
        pauseMs = PAUSE_MIN_MS;
        for (const changes of groupByRevision(response, range)) {
          const [first] = changes;
          if (first === undefined || first.revision <= seen) continue;
          seen = first.revision;
          yield changes;
        }
        // That there is nothing new still moves the place where to go on, out of reach of a compaction. With events the
        // header is of no use: of a long past etcd gives 1,000 revisions at a time, each piece under its newest one.
        if (!response.created && response.events.length === 0)
          seen = Math.max(seen, Number(response.header.revision));
      }
    } catch (thrown) {
      signal.throwIfAborted();
      connection.checkOpen();
      if (!isKind(thrown, storeErrors["store-unavailable"])) throw thrown;
    }
    await clock.sleep(pauseMs, signal);
  }
}

async function* readStream(
  connection: EtcdConnection,
  { start, end }: WatchedRange,
  from: Revision,
  signal: AbortSignal,
): AsyncGenerator<WatchResponse, void, undefined> {
  const { stream, leave } = await connection.open("Watch/Watch", { signal });
  const cancel = (): void => stream.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    signal.throwIfAborted();
    stream.write({
      create_request: { key: start, range_end: end, start_revision: from, progress_notify: true },
    });
    for await (const response of stream as AsyncIterable<WatchResponse>) {
      if (response.canceled) throw explainEnd(response, from);
      yield response;
    }
  } catch (thrown) {
    throw thrown instanceof FairleadError ? thrown : leave(thrown);
  } finally {
    signal.removeEventListener("abort", cancel);
    // An error after this is the answer to the cancelling.
    stream.on("error", () => undefined);
    stream.cancel();
  }
}

function explainEnd({ compact_revision, cancel_reason }: WatchResponse, from: Revision): Error {
  const oldest = Number(compact_revision);
  if (oldest > 0)
    return new FairleadError(
      storeErrors["store-lagged"],
      `The changes from revision ${from} on are no longer kept`,
      { facts: { from, oldest } },
    );
  const kind = /permission denied/.test(cancel_reason) ? "store-refused" : "store-unavailable";
  return new FairleadError(storeErrors[kind], `etcd ended the watch: ${cancel_reason}`);
}

function groupByRevision(
  { events }: WatchResponse,
  { nameOf }: WatchedRange,
): readonly (readonly StoreChange[])[] {
  const groups = new Map<Revision, StoreChange[]>();
  for (const { type, kv } of events) {
    const revision = Number(kv.mod_revision);
    const key = nameOf(kv.key);
    const group = groups.get(revision) ?? [];
    if (group.length === 0) groups.set(revision, group);
    group.push(
      type === "DELETE"
        ? { kind: "delete", key, revision }
        : { kind: "put", key, value: JSON.parse(kv.value.toString("utf8")), revision },
    );
  }
  return [...groups.values()];
}
