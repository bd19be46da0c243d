// SPDX-License-Identifier: Apache-2.0
// One loop for each managed scope, started and ended as the store says; and the watches that belong to no scope:
// reaping, observing, what a person stopped by hand.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { computeBackoff } from "#brain/backoff.ts";
import { planObserved } from "#brain/observe.ts";
import type { Hold } from "#brain/pass.ts";
import { planReap } from "#brain/reap.ts";
import type { EngineEvent } from "#engine/engine.ts";
import type { PlannedAction } from "#model/action.ts";
import { makeEmptyIntent } from "#model/empty-intent.ts";
import type { Intent } from "#model/intent.ts";
import type { Store } from "#store/store.ts";
import { createAlarm } from "./alarm.ts";
import {
  startScopeLoop,
  type Desired,
  type ScopeLoop,
  type ScopeLoopOptions,
} from "./scope-loop.ts";

const SCOPE_PREFIX = "scope/";

/** Where the desired state of a scope is kept. */
export function scopeKey(scope: string): string {
  return `${SCOPE_PREFIX}${scope}`;
}

export interface Supervisor {
  loop(scope: string): ScopeLoop | undefined;
  readonly loops: ReadonlyMap<string, ScopeLoop>;
  /** Names of managed scopes. */
  readonly managed: ReadonlySet<string>;
  /** Whether it has read from the store what is managed: before, nothing is known to be unwanted. */
  readonly loaded: boolean;
  /** Follows store and board until the signal aborts, then waits for acts that are running. */
  run(signal: AbortSignal): Promise<void>;
}

export interface SupervisorOptions extends Omit<ScopeLoopOptions, "onRemoved"> {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Node start, wall clock: failures from before it are old news in observe mode. */
  readonly startedAtMs: number;
}

/** By intent, which never changes: each event of an engine asks for those of all scopes. */
const serviceNames = new WeakMap<Intent, ReadonlySet<string>>();

function nameServices(intent: Intent): ReadonlySet<string> {
  const known = serviceNames.get(intent);
  if (known !== undefined) return known;
  const names = new Set(intent.services.map(({ name }) => name));
  serviceNames.set(intent, names);
  return names;
}

/** Makes the supervisor; nothing happens before `run`. */
export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { store, board, memory, decisions, clock, logger } = options;
  const loops = new Map<string, ScopeLoop>();
  const told = new Set<string>();
  const busy = new Set<string>();
  const held = new Map<string, Hold & { tries: number }>();
  let loaded = false;
  const stopping = new AbortController();
  const alarm = createAlarm(clock, watchOthers, stopping.signal);

  function setDesired(scope: string, desired: Desired): void {
    const loop = loops.get(scope);
    if (loop === undefined) loops.set(scope, startScopeLoop(desired, { ...options, onRemoved }));
    else loop.setDesired(desired);
  }

  function drop(scope: string): void {
    loops.get(scope)?.stop();
    loops.delete(scope);
    options.alerts.clear(scope);
  }

  function onRemoved(scope: string): void {
    const operations = [...memory.forget(scope), { kind: "delete" as const, key: scopeKey(scope) }];
    drop(scope);
    void decisions.write(operations);
    logger.info("a scope was removed", { scope });
  }

  /** `docker stop` is a person's word for unless-stopped; a kill is not. */
  function noteStop(event: EngineEvent): void {
    if (event.type !== "container" || event.action !== "kill") return;
    const instance = board.find(event.id);
    if (instance === undefined || event.attributes["signal"] === "9") return;
    const loop = loops.get(instance.scope);
    if (loop === undefined || loop.busy.has(`${instance.service}/${instance.slot}`)) return;
    const atMs = Number(event.timeNs / 1_000_000n);
    const operation = memory.update(instance.scope, instance.service, (before) => ({
      ...before,
      stoppedByHand: { ...before.stoppedByHand, [instance.id]: atMs },
    }));
    void decisions.write([operation]);
  }

  /** Asked with each event of the engine: so nothing is made of all scopes. */
  const managed = {
    has: (scope: string) => loops.has(scope),
    get(scope: string) {
      const loop = loops.get(scope);
      return loop === undefined ? undefined : nameServices(loop.desired.intent);
    },
  };

  function watchOthers(): void {
    if (!board.ready) return;
    const { instances } = board.read();
    const nowMs = clock.nowMs();
    const reap = planReap({ instances, managed, nowMs, busy, held });
    for (const action of reap.actions) void reapOne(action);
    for (const action of [...reap.observed, ...planObserved(instances, managed, nowMs)])
      tellOnce(action);
    const delayMs = Math.min((reap.wakeAtMs ?? Infinity) - nowMs + 1, 3_600_000);
    alarm.set(reap.wakeAtMs === undefined ? undefined : clock.monotonicMs() + delayMs);
  }

  function tellOnce(action: PlannedAction): void {
    if (told.has(action.key) || action.trigger.atMs < options.startedAtMs) return;
    if (told.size > 10_000) told.clear();
    told.add(action.key);
    const scope = board.find(action.target ?? "")?.scope ?? "";
    void decisions.begin(action, { scope, actor: "automatic", outcome: "observed" });
  }

  /** What failed is looked at again when its pause is over, also on a host on which nothing else happens. */
  async function lookAgain(atMs: number): Promise<void> {
    await clock.sleep(Math.max(1, atMs - clock.nowMs() + 1), stopping.signal);
    watchOthers();
  }

  async function reapOne(action: PlannedAction): Promise<void> {
    busy.add(action.key);
    let againAtMs: number | undefined;
    const scope = board.find(action.target ?? "")?.scope ?? "";
    const decision = await decisions.begin(action, { scope, actor: "automatic" });
    try {
      const { result } = await options.actor.perform(action, makeEmptyIntent(scope), decision.id);
      held.delete(action.key);
      await decisions.finish(decision, { outcome: "done", result });
    } catch (thrown) {
      const error = FairleadError.from(thrown);
      const tries = (held.get(action.key)?.tries ?? 0) + 1;
      againAtMs = clock.nowMs() + computeBackoff(tries, action.key);
      held.set(action.key, { tries, final: false, reason: error.message, untilMs: againAtMs });
      await decisions.finish(decision, {
        outcome: "failed",
        result: `${error.kind.id}: ${error.message}`,
      });
    } finally {
      busy.delete(action.key);
      if (againAtMs !== undefined) lookAgain(againAtMs).catch(() => undefined);
    }
  }

  async function watchStore(signal: AbortSignal): Promise<void> {
    const first = await store.list(SCOPE_PREFIX);
    for (const entry of first.entries)
      setDesired(entry.key.slice(SCOPE_PREFIX.length), entry.value as Desired);
    loaded = true;
    for await (const changes of store.watch(SCOPE_PREFIX, first.revision, { signal })) {
      for (const change of changes) {
        const scope = change.key.slice(SCOPE_PREFIX.length);
        if (change.kind === "put") setDesired(scope, change.value as Desired);
        else drop(scope);
      }
    }
  }

  return {
    loops,
    loop: (scope) => loops.get(scope),
    get managed() {
      return new Set(loops.keys());
    },
    get loaded() {
      return loaded;
    },
    async run(signal) {
      board.onChange(({ scopes, event }) => {
        if (event !== undefined) noteStop(event);
        for (const scope of scopes ?? loops.keys()) loops.get(scope)?.wake();
        if (scopes === undefined || scopes.size > 0) watchOthers();
      });
      try {
        await watchStore(signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        stopping.abort();
        for (const loop of loops.values()) loop.stop();
        await Promise.all([...loops.values()].map((loop) => loop.idle()));
      }
    },
  };
}
