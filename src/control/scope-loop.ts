// SPDX-License-Identifier: Apache-2.0
// The loop of one scope: look at the facts, let brain decide, act, remember; again whenever something changed.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Limiter } from "#base/limiter.ts";
import type { Logger } from "#base/logger.ts";
import { computeBackoff } from "#brain/backoff.ts";
import { GOOD_RUN_MS } from "#brain/diagnosis.ts";
import type { Hold, ReconcileInput } from "#brain/pass.ts";
import { planReconcile } from "#brain/reconcile.ts";
import { rememberAction, tidyMemory } from "#brain/remember.ts";
import { planRemoval, type Removal } from "#brain/removal.ts";
import type { PlannedAction, Reconciliation } from "#model/action.ts";
import type { Decision } from "#model/decision.ts";
import type { Intent } from "#model/intent.ts";
import type { StoreOperation } from "#store/store.ts";
import type { Actor } from "./actor.ts";
import { createAlarm } from "./alarm.ts";
import type { AlertBoard } from "./alert-board.ts";
import type { DecisionLog } from "./decision-log.ts";
import type { Evidence } from "./evidence.ts";
import type { FactsBoard } from "./facts-board.ts";
import { createServiceMask, hideInFacts } from "./hide.ts";
import type { MemoryBoard } from "./memory-board.ts";

/** What a scope is to be: kept as its intent says, or gone. */
export interface Desired {
  readonly intent: Intent;
  readonly removal: Removal | undefined;
  /** Set when a fleet wants it: which, the content of its store that says so, and the generation of what is wanted. */
  readonly fleet?: {
    readonly name: string;
    readonly identity: string;
    readonly generation: number;
  };
  readonly plan?: string;
  readonly actor: string;
  /** Why, in the words of who asked. */
  readonly reason?: string;
}

/** Who asks for something, why, and the plan of it. */
export type Asked = Pick<Desired, "actor" | "reason" | "plan">;

/** The same wanted because of somebody else, without the words of who asked before. */
export function askAnew({ intent, removal, fleet }: Desired, asked: Asked): Desired {
  return { intent, removal, ...(fleet === undefined ? {} : { fleet }), ...asked };
}

export interface ScopeLoopOptions {
  readonly board: FactsBoard;
  readonly memory: MemoryBoard;
  readonly decisions: DecisionLog;
  readonly alerts: AlertBoard;
  readonly actor: Actor;
  readonly evidence: Evidence;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Acts on the engine that may run at once, for all scopes together. */
  readonly bulk: Limiter;
  /** The same for healing, so that a big `up` never delays it. */
  readonly heal: Limiter;
  /** Called when a removal has nothing left to remove. */
  readonly onRemoved: (scope: string) => void;
  /** Called after each pass. */
  readonly onPass: (loop: ScopeLoop) => void;
  /** Whether images can be got from other nodes. */
  readonly fetchesImages?: boolean;
  /** What other nodes have of the scope's services; undefined without a fleet, and while that is not known. */
  readonly elsewhere?: (scope: string) => ReconcileInput["elsewhere"];
  /** Whose turn it is here to change, of services that stand on several nodes. */
  readonly turns?: (scope: string) => ReconcileInput["turns"];
  /** Whether singletons may run here of what this node is to have of a scope. */
  readonly fence?: (intent: Intent) => ReconcileInput["fence"];
}

export interface ScopeLoop {
  readonly desired: Desired;
  readonly last: Reconciliation;
  readonly input: ReconcileInput;
  /** Keys whose act is running now. */
  readonly busy: ReadonlySet<string>;
  /** False until a pass has looked at what is desired now. */
  readonly looked: boolean;
  setDesired(desired: Desired): void;
  /** Looks again soon; many calls make one pass. */
  wake(): void;
  /** Ends the loop; running acts end by themselves. */
  stop(): void;
  /** Resolves once no act is running. */
  idle(): Promise<void>;
}

const FINAL_CODES: ReadonlySet<string> = new Set([
  "invalid_argument",
  "not_found",
  "permission_denied",
  "unimplemented",
]);
const NOTHING: Reconciliation = { actions: [], waiting: [], wakeAtMs: undefined };

function isHealing(action: PlannedAction): boolean {
  return action.budget !== undefined || action.act === "instance.start";
}

/** Starts the loop of one scope. */
export function startScopeLoop(first: Desired, options: ScopeLoopOptions): ScopeLoop {
  const { board, memory, decisions, clock } = options;
  const logger = options.logger.child({ scope: first.intent.scope });
  const scope = first.intent.scope;
  const busy = new Set<string>();
  const held = new Map<string, Hold & { tries: number }>();
  const acts = new Set<Promise<void>>();
  const timer = new AbortController();
  const alarm = createAlarm(clock, wake, timer.signal);
  let desired = first;
  let last = NOTHING;
  let looked = false;
  let scheduled = false;
  let stopped = false;

  function makeInput(): ReconcileInput {
    return {
      intent: desired.intent,
      facts: hideInFacts(board.read(), desired.intent),
      memory: memory.read(scope),
      nowMs: clock.nowMs(),
      busy,
      held,
      elsewhere: options.elsewhere?.(scope),
      turns: desired.fleet === undefined ? undefined : options.turns?.(scope),
      fence: desired.fleet === undefined ? undefined : options.fence?.(desired.intent),
      fetchesImages: options.fetchesImages,
    };
  }

  function wake(): void {
    if (scheduled || stopped) return;
    scheduled = true;
    queueMicrotask(() => {
      scheduled = false;
      if (!stopped) pass();
    });
  }

  function pass(): void {
    if (!board.ready) return;
    looked = true;
    const input = makeInput();
    const { removal } = desired;
    last = removal === undefined ? planReconcile(input) : planRemoval(input, removal);
    for (const action of last.actions) launch(action);
    setAlarm(last.wakeAtMs);
    tidy(input);
    const done = last.actions.length === 0 && last.waiting.length === 0 && busy.size === 0;
    if (removal !== undefined && done) options.onRemoved(scope);
    options.onPass(loop);
  }

  function setAlarm(atMs: number | undefined): void {
    if (atMs === undefined) {
      alarm.set(undefined);
      return;
    }
    // What is to be done is dated by the wall, which may jump.
    const delayMs = Math.min(Math.max(1, atMs - clock.nowMs() + 1), 3_600_000);
    alarm.set(clock.monotonicMs() + delayMs);
  }

  function tidy(input: ReconcileInput): void {
    const operations: StoreOperation[] = [];
    const own = input.facts.instances.filter((instance) => instance.scope === scope);
    const byService = Map.groupBy(own, ({ service }) => service);
    for (const [service, entry] of input.memory) {
      const instances = byService.get(service) ?? [];
      const tidied = tidyMemory(entry, instances, input.nowMs, GOOD_RUN_MS);
      if (tidied !== undefined) operations.push(memory.update(scope, service, () => tidied));
    }
    if (operations.length > 0) void decisions.write(operations);
    options.alerts.settle(scope, input, last);
  }

  function launch(action: PlannedAction): void {
    busy.add(action.key);
    const limiter = isHealing(action) ? options.heal : options.bulk;
    const act = limiter
      .run(() => perform(action))
      .catch((error: unknown) =>
        logger.error("an act ended in an unexpected way", { reason: String(error) }),
      )
      .finally(() => {
        busy.delete(action.key);
        acts.delete(act);
        wake();
      });
    acts.add(act);
  }

  async function perform(action: PlannedAction): Promise<void> {
    if (stopped) return;
    const { intent, plan, actor, reason } = desired;
    const nowMs = clock.nowMs();
    const change = rememberAction(action, nowMs);
    const also =
      change === undefined || action.service === undefined
        ? []
        : [memory.update(scope, action.service, change)];
    const by =
      action.trigger.kind === "person" ||
      action.trigger.kind === "agent" ||
      (plan !== undefined && action.budget === undefined && action.trigger.kind !== "members")
        ? actor
        : "automatic";
    const context = {
      scope,
      actor: by,
      ...(plan === undefined ? {} : { plan }),
      ...(reason === undefined || by !== actor ? {} : { reason }),
    };
    const mask = createServiceMask(intent.services.find(({ name }) => name === action.service));
    const before = options.evidence.read(action, mask);
    const decision = await decisions.begin(action, context, also);
    const kept = await before;
    try {
      const { result, containerId } = await options.actor.perform(
        action,
        intent,
        decision.id,
        (text) => void decisions.progress(decision, text),
      );
      held.delete(action.key);
      const evidence = kept === undefined ? undefined : await options.evidence.complete(kept);
      await end(decision, "done", result, evidence, containerId);
      options.alerts.note(decision);
    } catch (thrown) {
      const { kind, message, facts } = FairleadError.from(thrown);
      // The engine may quote the command that it could not run.
      await fail(
        action,
        decision,
        new FairleadError(kind, mask(message), { cause: thrown, facts }),
        kept === undefined ? undefined : kept.before,
      );
    }
  }

  async function fail(
    action: PlannedAction,
    decision: Decision,
    error: FairleadError,
    before: Decision["before"],
  ): Promise<void> {
    const tries = (held.get(action.key)?.tries ?? 0) + 1;
    const untilMs = clock.nowMs() + computeBackoff(tries, action.key);
    const final = FINAL_CODES.has(error.code) && tries >= 2;
    held.set(action.key, { tries, untilMs, final, reason: `${error.message} (${error.kind.id})` });
    logger.warn("an act failed", {
      decision: decision.id,
      object: action.object,
      reason: error.message,
    });
    await end(
      decision,
      "failed",
      `${error.kind.id} ${error.kind.slug}: ${error.message}`,
      before,
      undefined,
    );
    if (!board.ready) return;
    if (action.target !== undefined && action.act.startsWith("instance.")) {
      await board.refresh(action.target).catch(() => undefined);
    }
  }

  async function end(
    decision: Decision,
    outcome: "done" | "failed",
    result: string,
    before: Decision["before"],
    containerId: string | undefined,
  ): Promise<void> {
    await decisions.finish(decision, {
      outcome,
      result,
      ...(before === undefined ? {} : { before }),
      ...(containerId === undefined ? {} : { containerId }),
    });
  }

  const loop: ScopeLoop = {
    get desired() {
      return desired;
    },
    get last() {
      return last;
    },
    get input() {
      return makeInput();
    },
    busy,
    get looked() {
      return looked;
    },
    setDesired(next) {
      looked = false;
      desired = next;
      held.clear();
      wake();
    },
    wake,
    stop() {
      stopped = true;
      timer.abort();
    },
    async idle() {
      while (acts.size > 0) await Promise.allSettled(acts);
    },
  };
  wake();
  return loop;
}
