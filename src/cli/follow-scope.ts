// SPDX-License-Identifier: Apache-2.0
// Waits until a scope has come to rest, following its events. Any final state ends the wait.
import { setTimeout as sleep } from "node:timers/promises";
import type { EventLine } from "@fairlead/protocol/routes.ts";
import type { ScopeView, ServiceView } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "./context.ts";
import { createProgress, type Progress } from "./progress.ts";

export type Settlement =
  | { readonly kind: "settled"; readonly view: ScopeView }
  /** Services that will not come by themselves. */
  | { readonly kind: "failed"; readonly view: ScopeView; readonly services: readonly ServiceView[] }
  | { readonly kind: "removed" }
  | { readonly kind: "timeout"; readonly view: ScopeView | undefined };

export interface FollowOptions {
  readonly scope: string;
  readonly timeoutMs: number;
  /** What is waited for. */
  readonly until: "settled" | "removed";
}

const NO_SUCH_OBJECT = "FL0701";
/** Some changes of a scope come without an event of their own. */
const LOOK_AGAIN_MS = 1_000;

/** States that only a person ends. */
const FINAL: ReadonlySet<ServiceView["state"]> = new Set(["quarantined", "degraded"]);

/** Events of a scope from now on. Opening it before a change makes sure that nothing of the change is missed. */
export interface ScopeWatch extends AsyncDisposable {
  readonly lines: AsyncIterator<EventLine>;
  readonly ended: AbortController;
}

/** Starts to listen; await it before the change. */
export function watchScope(context: Context, scope: string): ScopeWatch {
  const ended = new AbortController();
  const call = { query: { scope }, signal: ended.signal };
  const lines = context.api.lines<EventLine>("GET", "events", call)[Symbol.asyncIterator]();
  return {
    lines,
    ended,
    async [Symbol.asyncDispose]() {
      ended.abort();
      await lines.return?.();
    },
  };
}

async function readScope(context: Context, scope: string): Promise<ScopeView | undefined> {
  try {
    return await context.api.call<ScopeView>("GET", `scopes/${encodeURIComponent(scope)}`);
  } catch (thrown) {
    if (thrown instanceof FairleadError && thrown.kind.id === NO_SUCH_OBJECT) return undefined;
    throw thrown;
  }
}

function judge(view: ScopeView | undefined, until: FollowOptions["until"]): Settlement | undefined {
  if (view === undefined || (until === "removed" && view.mode === "observe"))
    return { kind: "removed" };
  if (until === "removed") return undefined;
  if (view.settled) return { kind: "settled", view };
  const moving = view.services.some((s) =>
    ["starting", "updating", "healing", "removing"].includes(s.state),
  );
  const failed = view.services.filter((service) => FINAL.has(service.state));
  return failed.length > 0 && !moving ? { kind: "failed", view, services: failed } : undefined;
}

/** Shows the events that come until it is time to look again. */
async function awaitChange(
  watch: ScopeWatch,
  progress: Progress,
  pending: { next?: Promise<IteratorResult<EventLine>> },
  signal: AbortSignal,
): Promise<void> {
  const late = new AbortController();
  const timer = sleep(LOOK_AGAIN_MS, undefined, {
    signal: AbortSignal.any([late.signal, signal]),
  }).catch(() => undefined);
  pending.next ??= watch.lines.next();
  const first = await Promise.race([pending.next, timer]);
  late.abort();
  if (first === undefined) return;
  delete pending.next;
  if (first.done !== true && first.value.event.kind === "decision")
    progress.showDecision(first.value.event.decision);
}

/** Follows until the scope is as waited for, has failed for good, or the time ran out. Shows progress on the way. */
export async function followScope(
  context: Context,
  watch: ScopeWatch,
  options: FollowOptions,
): Promise<Settlement> {
  const { scope, timeoutMs, until } = options;
  const progress = createProgress(context.out);
  const deadline = AbortSignal.timeout(timeoutMs);
  const ending = AbortSignal.any([deadline, context.signal]);
  const pending: { next?: Promise<IteratorResult<EventLine>> } = {};
  let view: ScopeView | undefined;
  try {
    for (;;) {
      view = await readScope(context, scope);
      if (view !== undefined) progress.showScope(view);
      const settlement = judge(view, until);
      if (settlement !== undefined) return settlement;
      if (deadline.aborted) return { kind: "timeout", view };
      context.signal.throwIfAborted();
      await awaitChange(watch, progress, pending, ending);
    }
  } finally {
    progress.end();
  }
}
