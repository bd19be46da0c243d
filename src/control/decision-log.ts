// SPDX-License-Identifier: Apache-2.0
// Decisions: written before the act, completed after it, kept. When the store has no room they wait in memory, so that
// healing goes on; the loss of that memory is the one thing a full disk can cost, and it is said in `status`.
import type { Clock, Random } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { createId } from "#base/ids.ts";
import type { Logger } from "#base/logger.ts";
import type { PlannedAction } from "#model/action.ts";
import type { Decision } from "#model/decision.ts";
import type { Store, StoreOperation } from "#store/store.ts";

const BACKLOG_MAX = 10_000;
const BACKLOG_RETRY_MS = 2_000;

export interface DecisionLog {
  /** Writes the decision as pending, together with `also`; returns it. Never fails: see `problem`. */
  begin(
    action: PlannedAction,
    context: BeginContext,
    also?: readonly StoreOperation[],
  ): Promise<Decision>;
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
  onDecision(listener: (decision: Decision) => void): void;
  /** Decisions begun since midnight UTC, as far as this process and its store know. */
  countSince(sinceMs: number): Promise<number>;
}

export interface BeginContext {
  readonly scope: string;
  readonly actor: string;
  readonly plan?: string;
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
}

const decisionKey = (id: string): string => `decision/${id}`;
const pendingKey = (id: string): string => `pending/${id}`;

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

/** A write queue in front of the store: in order, retried while the store is full or away. */
function createWriter(options: DecisionLogOptions) {
  const { store, clock, logger } = options;
  const backlog: StoreOperation[][] = [];
  let problem: FairleadError | undefined;
  let draining: Promise<void> | undefined;

  async function drain(): Promise<void> {
    while (backlog.length > 0) {
      try {
        await store.transact(backlog[0] ?? []);
        backlog.shift();
        if (problem !== undefined) logger.info("the store takes writes again");
        problem = undefined;
      } catch (error) {
        problem = FairleadError.from(error);
        await clock.sleep(BACKLOG_RETRY_MS);
      }
    }
    draining = undefined;
  }

  async function write(operations: readonly StoreOperation[]): Promise<void> {
    if (backlog.length === 0) {
      try {
        await store.transact(operations);
        return;
      } catch (error) {
        problem = FairleadError.from(error);
        logger.error("the store does not take writes; decisions wait in memory", {
          reason: problem.message,
        });
      }
    }
    if (backlog.length >= BACKLOG_MAX) backlog.shift();
    backlog.push([...operations]);
    draining ??= drain();
  }
  return {
    write,
    get problem() {
      return problem;
    },
    /** What waits for the store, newest value of each key. */
    findWaiting(key: string): unknown {
      for (let i = backlog.length - 1; i >= 0; i--) {
        const found = backlog[i]?.find(
          (operation) => operation.key === key && operation.kind === "put",
        );
        if (found?.kind === "put") return found.value;
      }
      return undefined;
    },
  };
}

const PAGE = 500;
const COUNT_MAX = 100_000;

/** Opens the log over a store. */
export function createDecisionLog(options: DecisionLogOptions): DecisionLog {
  const { store, clock, random } = options;
  const writer = createWriter(options);
  const listeners: ((decision: Decision) => void)[] = [];
  /** Counted once for a beginning, then kept up: `status` asks often. */
  let counted: { readonly sinceMs: number; count: number } | undefined;
  const tell = (decision: Decision): Decision => {
    for (const listener of listeners) listener(decision);
    return decision;
  };

  async function list(query: DecisionQuery): Promise<Decision[]> {
    const found: Decision[] = [];
    let after = query.before === undefined ? undefined : decisionKey(query.before);
    while (found.length < query.limit) {
      const page = await store.list("decision/", {
        descending: true,
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      for (const entry of page.entries) {
        const decision = entry.value as Decision;
        if (query.sinceMs !== undefined && decision.startedAtMs < query.sinceMs) return found;
        if (matches(decision, query)) found.push(decision);
        if (found.length >= query.limit) return found;
      }
      const last = page.entries[page.entries.length - 1];
      if (page.entries.length < PAGE || last === undefined) return found;
      after = last.key;
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
      await writer.write([put, ...mark, ...also]);
      return tell(decision);
    },
    async finish(decision, end) {
      const finishedAtMs = clock.nowMs();
      const durationMs = Math.max(0, finishedAtMs - decision.startedAtMs);
      const finished: Decision = { ...decision, finishedAtMs, durationMs, ...end };
      await writer.write([
        { kind: "put", key: decisionKey(decision.id), value: finished },
        { kind: "delete", key: pendingKey(decision.id) },
      ]);
      return tell(finished);
    },
    write: (operations) => writer.write(operations),
    async get(id) {
      const entry = await store.get(decisionKey(id));
      return (entry?.value ?? writer.findWaiting(decisionKey(id))) as Decision | undefined;
    },
    list,
    async recover() {
      const pending = await store.list("pending/");
      for (const { key } of pending.entries) {
        const entry = await store.get(decisionKey(key.slice("pending/".length)));
        const operations: StoreOperation[] = [{ kind: "delete", key }];
        if (entry !== undefined) {
          const decision = entry.value as Decision;
          const result = "the node ended before it knew the outcome; the loop has looked again";
          operations.push({
            kind: "put",
            key: entry.key,
            value: { ...decision, outcome: "interrupted", result },
          });
        }
        await writer.write(operations);
      }
      return pending.entries.length;
    },
    get problem() {
      return writer.problem;
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
