// SPDX-License-Identifier: Apache-2.0
// Group commit: what is asked for in one turn of the event loop is written in one SQLite transaction with one fsync,
// while each request keeps its own conditions, revision and failure.
import { baseErrors, FairleadError } from "#base/errors.ts";

/** Most requests in one commit: bounds how long one commit holds up the event loop. */
const BATCH_MAX = 256;
/** Most bytes in one commit, for the same reason; a larger request commits alone. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;
/** Most requests waiting; more is a loop gone wild. */
const WAITING_MAX = 16_384;

/** The database as the queue needs it. */
export interface CommitTarget {
  begin(): void;
  /** Makes everything since begin() durable. */
  commit(): void;
  /** Undoes everything since begin(), in the file and in memory. */
  rollback(): void;
  /** Called when nothing waits any more. */
  rest(): void;
  convertError(thrown: unknown): FairleadError;
}

export interface CommitQueue {
  /**
   * Runs `work` within one of the next commits and resolves with its result once that is durable. It may run twice:
   * when a batch fails, each request is tried alone. A refusal is a result, not an exception.
   */
  run<T>(
    work: () => T,
    options?: { signal?: AbortSignal | undefined; sizeBytes?: number },
  ): Promise<T>;
  /** Commits what waits. */
  flush(): void;
}

interface Request {
  readonly sizeBytes: number;
  /** Does the work; returns how to settle once it is durable. */
  readonly perform: () => () => void;
  readonly fail: (error: FairleadError) => void;
  /** Takes it out of reach of its signal; false when it was aborted. */
  readonly claim: () => boolean;
}

/** An empty queue. */
export function createCommitQueue(target: CommitTarget): CommitQueue {
  let waiting: Request[] = [];
  let scheduled = false;

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      commitBatch(takeBatch());
      if (waiting.length > 0) schedule();
      else target.rest();
    });
  }

  function takeBatch(): readonly Request[] {
    let count = 0;
    for (let bytes = 0; count < waiting.length && count < BATCH_MAX; count++) {
      bytes += waiting[count]?.sizeBytes ?? 0;
      if (count > 0 && bytes > BATCH_BYTES_MAX) break;
    }
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    return batch.filter((request) => request.claim());
  }

  function commitBatch(batch: readonly Request[]): void {
    if (batch.length === 0) return;
    const settles: (() => void)[] = [];
    try {
      target.begin();
      for (const request of batch) settles.push(request.perform());
      target.commit();
    } catch (thrown) {
      undoBatch(batch, thrown);
      return;
    }
    for (const settle of settles) settle();
  }

  function undoBatch(batch: readonly Request[], thrown: unknown): void {
    try {
      target.rollback();
    } catch (second) {
      for (const request of batch) request.fail(target.convertError(second));
      return;
    }
    // One request too large for the disk must not fail its neighbours.
    if (batch.length > 1) for (const request of batch) commitBatch([request]);
    else for (const request of batch) request.fail(target.convertError(thrown));
  }

  return {
    run(work, { signal, sizeBytes = 0 } = {}) {
      return new Promise((resolve, reject) => {
        if (waiting.length >= WAITING_MAX) {
          reject(new FairleadError(baseErrors.overloaded, "Too many writes wait for the store"));
          return;
        }
        let aborted = false;
        function abort(): void {
          aborted = true;
          reject(signal?.reason);
        }
        signal?.addEventListener("abort", abort, { once: true });
        waiting.push({
          sizeBytes,
          perform() {
            const result = work();
            return () => resolve(result);
          },
          fail: reject,
          claim() {
            signal?.removeEventListener("abort", abort);
            return !aborted;
          },
        });
        schedule();
      });
    },
    flush() {
      while (waiting.length > 0) commitBatch(takeBatch());
    },
  };
}
