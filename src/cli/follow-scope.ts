// SPDX-License-Identifier: Apache-2.0
// Waits until a scope has come to rest, following its events. It ends when every service is in a final state.
import { setTimeout as sleep } from "node:timers/promises";
import type { EventLine } from "@fairlead/protocol/routes.ts";
import type { ScopeView, ServiceView } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "./context.ts";
import { cliErrors } from "./errors.ts";
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
/** So long without an event ends a burst, so long a burst is followed before looking. */
const QUIET_MS = 15;
const BURST_MAX_MS = 150;

/** States that only a person ends. */
const FINAL: ReadonlySet<ServiceView["state"]> = new Set(["quarantined", "degraded"]);
/** States that lead to another one without a person. */
const MOVING: ReadonlySet<ServiceView["state"]> = new Set([
  "starting",
  "updating",
  "healing",
  "removing",
]);
/** States in which nothing comes for those who wait for the service. */
const RESTING: ReadonlySet<ServiceView["state"]> = new Set([...FINAL, "stopped", "paused"]);

/** Events of a scope from now on. Opened before a change, it misses nothing of the change. */
export interface ScopeWatch extends AsyncDisposable {
  /** The next event; the same promise until it was taken. Rejects with FL0619 when the stream ends. */
  peek(): Promise<EventLine>;
  take(): void;
}

/** Starts to listen at once. */
export function watchScope(context: Context, scope: string): ScopeWatch {
  const ended = new AbortController();
  const call = { query: { scope }, signal: ended.signal };
  const lines = context.api.lines<EventLine>("GET", "events", call);
  let pending: Promise<EventLine> | undefined;
  async function read(): Promise<EventLine> {
    const next = await lines[Symbol.asyncIterator]().next();
    if (next.done !== true) return next.value;
    throw new FairleadError(cliErrors["connection-lost"], "the node ended its stream of events");
  }
  function peek(): Promise<EventLine> {
    pending ??= read();
    // Whoever waits gets the rejection; before that nobody does, and that is no accident.
    pending.catch(() => undefined);
    return pending;
  }
  void peek();
  return {
    peek,
    take: () => (pending = undefined),
    async [Symbol.asyncDispose]() {
      ended.abort();
      await pending?.catch(() => undefined);
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

/** Names of services that nobody who waits for them will see come: they rest, or wait for one of these. */
function findHopeless(services: readonly ServiceView[]): ReadonlySet<string> {
  const hopeless = new Set<string>();
  let before = -1;
  while (hopeless.size > before) {
    before = hopeless.size;
    for (const { name, state, dependsOn } of services) {
      const inVain = state === "waiting" && dependsOn.some((other) => hopeless.has(other));
      if (RESTING.has(state) || inVain) hopeless.add(name);
    }
  }
  return hopeless;
}

/** Whether any service may still get to another state by itself, also by waiting for one that may. */
function isMoving({ services }: ScopeView): boolean {
  const hopeless = findHopeless(services);
  return services.some(
    ({ name, state }) => MOVING.has(state) || (state === "waiting" && !hopeless.has(name)),
  );
}

function judge(view: ScopeView | undefined, until: FollowOptions["until"]): Settlement | undefined {
  if (view === undefined || (until === "removed" && view.mode === "observe"))
    return { kind: "removed" };
  if (until === "removed") return undefined;
  if (view.settled) return { kind: "settled", view };
  const failed = view.services.filter((service) => FINAL.has(service.state));
  if (failed.length === 0 || isMoving(view)) return undefined;
  return { kind: "failed", view, services: failed };
}

/** The next event if it comes in time. */
async function awaitEvent(watch: ScopeWatch, withinMs: number, signal: AbortSignal) {
  const late = new AbortController();
  const ending = AbortSignal.any([late.signal, signal]);
  const timer = sleep(withinMs, undefined, { signal: ending }).catch(() => undefined);
  const first = await Promise.race([watch.peek(), timer]);
  late.abort();
  if (first !== undefined) watch.take();
  return first?.event;
}

/**
 * Shows what happens until it is time to look again: when a burst of events is over. A scope of a hundred instances
 * sends hundreds; looking after each would slow down the node that is making them.
 */
async function awaitChange(
  watch: ScopeWatch,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  let event = await awaitEvent(watch, LOOK_AGAIN_MS, signal);
  const burstEndsMs = performance.now() + BURST_MAX_MS;
  while (event !== undefined) {
    if (event.kind === "decision") progress.showDecision(event.decision);
    if (performance.now() >= burstEndsMs) return;
    event = await awaitEvent(watch, QUIET_MS, signal);
  }
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
  let view: ScopeView | undefined;
  try {
    for (;;) {
      view = await readScope(context, scope);
      if (view !== undefined) progress.showScope(view);
      const settlement = judge(view, until);
      if (settlement !== undefined) return settlement;
      if (deadline.aborted) return { kind: "timeout", view };
      context.signal.throwIfAborted();
      await awaitChange(watch, progress, ending);
    }
  } finally {
    progress.end();
  }
}
