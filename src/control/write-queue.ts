// SPDX-License-Identifier: Apache-2.0
// A queue in front of the store: in order, and patient while the store is full or away. It is bounded; when it is full
// the oldest records of acts are lost and counted. What is to be remembered of scopes is never lost: of each such key only
// the newest value has to wait.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { Store, StoreOperation } from "#store/store.ts";

const RETRY_MS = 2_000;
const BATCHES_MAX = 10_000;

export interface WriteQueueOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether a key may be lost when the queue is full. */
  readonly isRecord: (key: string) => boolean;
  /** Writes that may wait. Default 10,000. */
  readonly batchesMax?: number;
}

/** How many records were lost, and when the last one was. */
export interface Loss {
  readonly count: number;
  readonly atMs: number;
}

export interface WriteQueue {
  /** Resolves once written, or once it waits: never fails. A transaction's operations stay together. */
  write(operations: readonly StoreOperation[]): Promise<void>;
  /** Why the store takes no writes now. */
  readonly problem: FairleadError | undefined;
  /** What a full queue has cost since this process started. */
  readonly loss: Loss | undefined;
  /** What waits under the prefix: the newest value of each key, undefined where it is to be deleted. */
  readWaiting(prefix: string): ReadonlyMap<string, unknown>;
}

interface Batch {
  /** Order of the calls of `write`. */
  readonly turn: number;
  operations: readonly StoreOperation[];
  /** Has no records, or none any more. */
  stripped: boolean;
}

/** Starts with nothing waiting. */
export function createWriteQueue(options: WriteQueueOptions): WriteQueue {
  const { store, clock, logger, isRecord, batchesMax = BATCHES_MAX } = options;
  const waiting: Batch[] = [];
  /** Which call wrote a key last, as long as an earlier call may still fail and come after it. */
  const written = new Map<string, number>();
  let turns = 0;
  let underWay = 0;
  let problem: FairleadError | undefined;
  let draining: Promise<void> | undefined;
  let sending: Batch | undefined;
  let loss: Loss | undefined;

  function isSuperseded(key: string, batch: Batch): boolean {
    return waiting.some(
      (other) => other.turn > batch.turn && other.operations.some((one) => one.key === key),
    );
  }

  /** Takes the records out of a batch. */
  function strip(batch: Batch): void {
    const isLost = batch.operations.some(
      ({ kind, key }) => kind === "put" && isRecord(key) && !isSuperseded(key, batch),
    );
    if (isLost) {
      if (loss === undefined)
        logger.error("more decisions than may wait for the store: the oldest are lost");
      loss = { count: (loss?.count ?? 0) + 1, atMs: clock.nowMs() };
    }
    batch.operations = batch.operations.filter(({ key }) => !isRecord(key));
    batch.stripped = true;
  }

  /** Makes of the two oldest batches that are not on their way one without records; false when there is only one. */
  function makeRoom(): boolean {
    const at = waiting[0] === sending ? 1 : 0;
    const [first, second] = waiting.slice(at, at + 2);
    if (first === undefined || second === undefined) return false;
    if (!first.stripped) strip(first);
    else if (!second.stripped) strip(second);
    if (first.stripped && second.stripped) {
      const merged = new Map(first.operations.map((operation) => [operation.key, operation]));
      for (const operation of second.operations) merged.set(operation.key, operation);
      first.operations = [...merged.values()];
      waiting.splice(at + 1, 1);
    }
    if (first.operations.length === 0) waiting.splice(at, 1);
    return true;
  }

  function enqueue(batch: Batch): void {
    const operations = batch.operations.filter(({ key }) => (written.get(key) ?? -1) < batch.turn);
    if (operations.length === 0) return;
    batch.operations = operations;
    const after = waiting.findIndex(({ turn }) => turn > batch.turn);
    waiting.splice(after < 0 ? waiting.length : after, 0, batch);
    while (waiting.length > batchesMax && makeRoom());
    draining ??= drain();
  }

  async function drain(): Promise<void> {
    for (let head = waiting[0]; head !== undefined; head = waiting[0]) {
      sending = head;
      try {
        await store.transact(head.operations);
        waiting.splice(waiting.indexOf(head), 1);
        if (problem !== undefined) logger.info("the store takes writes again");
        problem = undefined;
      } catch (error) {
        problem = FairleadError.from(error);
        sending = undefined;
        await clock.sleep(RETRY_MS);
      }
      sending = undefined;
    }
    draining = undefined;
  }

  /** True when it is written. */
  async function tryNow(batch: Batch): Promise<boolean> {
    underWay++;
    try {
      await store.transact(batch.operations);
      for (const { key } of batch.operations)
        written.set(key, Math.max(batch.turn, written.get(key) ?? -1));
      return true;
    } catch (error) {
      if (problem === undefined)
        logger.error("the store does not take writes; decisions wait in memory", {
          reason: FairleadError.from(error).message,
        });
      problem = FairleadError.from(error);
      return false;
    } finally {
      underWay--;
    }
  }

  return {
    async write(operations) {
      const stripped = !operations.some(({ key }) => isRecord(key));
      const batch: Batch = { turn: turns++, operations, stripped };
      if (waiting.length > 0 || !(await tryNow(batch))) enqueue(batch);
      if (underWay === 0) written.clear();
    },
    get problem() {
      return problem;
    },
    get loss() {
      return loss;
    },
    readWaiting(prefix) {
      const found = new Map<string, unknown>();
      for (const { operations } of waiting)
        for (const operation of operations)
          if (operation.key.startsWith(prefix))
            found.set(operation.key, operation.kind === "put" ? operation.value : undefined);
      return found;
    },
  };
}
