// SPDX-License-Identifier: Apache-2.0
// Decisions: written before the act, completed after it, kept. When the store has no room they wait in memory, so that
// healing goes on, and they are answered from there; the loss of that memory is the one thing a full disk can cost, and it
// is said in `status`.
import type { Clock, Random } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { createId } from "#base/ids.ts";
import type { Logger } from "#base/logger.ts";
import type { PlannedAction } from "#model/action.ts";
import type { Decision } from "#model/decision.ts";
import type { Store, StoreOperation } from "#store/store.ts";
import { createWriteQueue, type Loss } from "./write-queue.ts";

export interface DecisionLog {
  /** Writes the decision as pending, together with `also`; returns it. Never fails: see `problem`. */
  begin(
    action: PlannedAction,
    context: BeginContext,
    also?: readonly StoreOperation[],
  ): Promise<Decision>;
  /** Keeps how far a pending one is, as its result; nobody is told. */
  progress(decision: Decision, result: string): Promise<void>;
  /** Completes it. */
  finish(decision: Decision, end: Pick<Decision, "outcome"> & Partial<Decision>): Promise<Decision>;
  /** Writes to the store what has to be written whatever the store's state, in order with decisions. */
  write(operations: readonly StoreOperation[]): Promise<void>;
  get(id: string): Promise<Decision | undefined>;
  list(filter: DecisionQuery): Promise<readonly Decision[]>;
  /** Ends decisions that a process before this one left pending. */
  recover(): Promise<number>;
  /** Why the store takes no writes now. */
  readonly problem: FairleadError | undefined;
  /** Decisions that were never kept, since more waited for the store than may. */
  readonly loss: Loss | undefined;
  onDecision(listener: (decision: Decision) => void): void;
  /** Decisions begun since midnight UTC, as far as this process and its store know. */
  countSince(sinceMs: number): Promise<number>;
}

export interface BeginContext {
  readonly scope: string;
  readonly actor: string;
  readonly plan?: string;
  /** Why, in the words of who asked. */
  readonly reason?: string;
  readonly outcome?: "pending" | "observed";
}

export interface DecisionQuery {
  readonly scope?: string;
  readonly service?: string;
  readonly object?: string;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly outcome?: string;
  readonly before?: string;
  readonly limit: number;
}

export interface DecisionLogOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Writes that may wait for the store. Default 10,000. */
  readonly waitingMax?: number;
}

const PREFIX = "decision/";
const PENDING_PREFIX = "pending/";
const decisionKey = (id: string): string => `${PREFIX}${id}`;
const pendingKey = (id: string): string => `${PENDING_PREFIX}${id}`;
const isRecord = (key: string): boolean => key.startsWith(PREFIX) || key.startsWith(PENDING_PREFIX);

function matches(decision: Decision, query: DecisionQuery): boolean {
  return (
    (query.scope === undefined || decision.scope === query.scope) &&
    (query.service === undefined || decision.service === query.service) &&
    (query.object === undefined || decision.object === query.object) &&
    (query.sinceMs === undefined || decision.startedAtMs >= query.sinceMs) &&
    (query.untilMs === undefined || decision.startedAtMs <= query.untilMs) &&
    (query.outcome === undefined || decision.outcome === query.outcome)
  );
}

function toDecision(
  action: PlannedAction,
  context: BeginContext,
  id: string,
  nowMs: number,
): Decision {
  return {
    id,
    scope: context.scope,
    ...(action.service === undefined ? {} : { service: action.service }),
    object: action.object,
    ...(action.target === undefined ? {} : { containerId: action.target }),
    act: action.act,
    title: action.title,
    actor: context.actor,
    ...(context.reason === undefined ? {} : { reason: context.reason }),
    trigger: action.trigger,
    rule: action.rule,
    inputs: { ...action.inputs },
    notDone: action.notDone.map((entry) => ({ ...entry })),
    ...(action.budget === undefined ? {} : { budget: action.budget }),
    ...(context.plan === undefined ? {} : { plan: context.plan }),
    startedAtMs: nowMs,
    outcome: context.outcome ?? "pending",
  };
}

const PAGE = 500;
const COUNT_MAX = 100_000;

/** Opens the log over a store. */
export function createDecisionLog(options: DecisionLogOptions): DecisionLog {
  const { store, clock, random, logger, waitingMax } = options;
  const queue = createWriteQueue({
    store,
    clock,
    logger,
    isRecord,
    ...(waitingMax === undefined ? {} : { batchesMax: waitingMax }),
  });
  const listeners: ((decision: Decision) => void)[] = [];
  /** Counted once for a beginning, then kept up: `status` asks often. */
  let counted: { readonly sinceMs: number; count: number } | undefined;
  const tell = (decision: Decision): Decision => {
    for (const listener of listeners) listener(decision);
    return decision;
  };

  function timeEnd({ startedAtMs }: Decision): Pick<Decision, "finishedAtMs" | "durationMs"> {
    const finishedAtMs = clock.nowMs();
    return { finishedAtMs, durationMs: Math.max(0, finishedAtMs - startedAtMs) };
  }

  /** Decisions that wait for the store, newest first. */
  function listWaiting(before: string | undefined): Decision[] {
    const values = [...queue.readWaiting(PREFIX).values()] as (Decision | undefined)[];
    return values
      .filter((decision) => decision !== undefined)
      .filter(({ id }) => before === undefined || id < before)
      .sort((a, b) => (a.id < b.id ? 1 : -1));
  }

  /** All that is stored or waits to be, newest first; what waits is newer than what is stored under the same id. */
  async function* readBack(before: string | undefined): AsyncGenerator<Decision> {
    let after = before === undefined ? undefined : decisionKey(before);
    for (;;) {
      // Read before the page: what leaves the queue in between is in both, not in neither.
      const waiting = listWaiting(after?.slice(PREFIX.length));
      const page = await store.list(PREFIX, {
        descending: true,
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      for (const entry of page.entries) {
        const stored = entry.value as Decision;
        while (waiting[0] !== undefined && waiting[0].id > stored.id) {
          const next = waiting.shift();
          if (next !== undefined) yield next;
        }
        yield waiting[0]?.id === stored.id ? (waiting.shift() ?? stored) : stored;
      }
      const last = page.entries.at(-1);
      if (page.entries.length < PAGE || last === undefined) return yield* waiting;
      after = last.key;
    }
  }

  async function list(query: DecisionQuery): Promise<Decision[]> {
    const found: Decision[] = [];
    if (query.limit <= 0) return found;
    for await (const decision of readBack(query.before)) {
      if (query.sinceMs !== undefined && decision.startedAtMs < query.sinceMs) break;
      if (matches(decision, query)) found.push(decision);
      if (found.length >= query.limit) break;
    }
    return found;
  }

  return {
    async begin(action, context, also = []) {
      const nowMs = clock.nowMs();
      const decision = toDecision(action, context, createId("dec", nowMs, random), nowMs);
      const put: StoreOperation = { kind: "put", key: decisionKey(decision.id), value: decision };
      const mark: StoreOperation[] =
        decision.outcome === "pending"
          ? [{ kind: "put", key: pendingKey(decision.id), value: 1 }]
          : [];
      if (counted !== undefined) counted.count++;
      await queue.write([put, ...mark, ...also]);
      return tell(decision);
    },
    progress: (decision, result) =>
      queue.write([{ kind: "put", key: decisionKey(decision.id), value: { ...decision, result } }]),
    async finish(decision, end) {
      const finished: Decision = { ...decision, ...timeEnd(decision), ...end };
      await queue.write([
        { kind: "put", key: decisionKey(decision.id), value: finished },
        { kind: "delete", key: pendingKey(decision.id) },
      ]);
      return tell(finished);
    },
    write: (operations) => queue.write(operations),
    async get(id) {
      const key = decisionKey(id);
      const waiting = queue.readWaiting(key).get(key);
      return (waiting ?? (await store.get(key))?.value) as Decision | undefined;
    },
    list,
    async recover() {
      const pending = await store.list(PENDING_PREFIX);
      for (const { key } of pending.entries) {
        const entry = await store.get(decisionKey(key.slice(PENDING_PREFIX.length)));
        const operations: StoreOperation[] = [{ kind: "delete", key }];
        if (entry !== undefined) {
          const decision = entry.value as Decision;
          const result = "the node ended before it knew the outcome; the loop has looked again";
          // Nobody knows when the act ended: it was at an end by now.
          const end = { ...timeEnd(decision), outcome: "interrupted" as const, result };
          operations.push({ kind: "put", key: entry.key, value: { ...decision, ...end } });
        }
        await queue.write(operations);
      }
      return pending.entries.length;
    },
    get problem() {
      return queue.problem;
    },
    get loss() {
      return queue.loss;
    },
    onDecision: (listener) => void listeners.push(listener),
    async countSince(sinceMs) {
      if (counted?.sinceMs !== sinceMs) {
        try {
          counted = { sinceMs, count: (await list({ sinceMs, limit: COUNT_MAX })).length };
        } catch (error) {
          // A store that is away is told of by itself; it must not take all else that is known with it.
          if (!FairleadError.from(error).retryable) throw error;
        }
      }
      return counted?.count ?? 0;
    },
  };
}
