// SPDX-License-Identifier: Apache-2.0
// The node's picture of its engine: filled by one full list, kept by events, repaired by listing again. Events are
// hints: each makes the container they name be read anew, so a lost or doubled event changes nothing.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { EngineEvent, EngineReader } from "#engine/engine.ts";
import type { Facts, InstanceFact } from "#model/facts.ts";
import { createEnginePicture } from "./engine-picture.ts";

/** Why the board changed; scopes whose instances did, or all. */
export interface BoardChange {
  /** Scopes concerned; undefined means any may be. */
  readonly scopes: ReadonlySet<string> | undefined;
  readonly event: EngineEvent | undefined;
}

export interface FactsBoard {
  /** The facts of now. `asOfMs` is when they were last known to be whole. */
  read(): Facts;
  /** True once a first list has been read and while the engine answers. */
  readonly ready: boolean;
  /** Why the engine is not known to answer; undefined while it does, and before it was asked for the first time. */
  readonly problem: string | undefined;
  /** Containers that the engine lists but cannot describe, with its reason: what is known of them may be old. */
  readonly unreadable: ReadonlyMap<string, string>;
  /**
   * Resolves once ready, or after `maxMs`: a node that has just begun needs a moment to read its engine, and an engine one to be started
   * again. One that has not been there and does not answer is not waited for.
   */
  settle(maxMs: number): Promise<void>;
  find(idOrName: string): InstanceFact | undefined;
  /** Reads one container anew; returns once the board has it. */
  refresh(id: string): Promise<void>;
  /**
   * Until disposed, events of the container with that name are not followed: whoever acts on it reads it afterwards.
   * A container that is made and started tells five times in a row what one reading says.
   */
  hush(name: string): Disposable;
  refreshNetworks(): Promise<void>;
  refreshVolumes(): Promise<void>;
  refreshImages(): Promise<void>;
  /** Reads everything anew. */
  relist(): Promise<void>;
  /** Returns the function that ends it. */
  onChange(listener: (change: BoardChange) => void): () => void;
  /** Follows the engine's events until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export interface BoardOptions {
  readonly engine: EngineReader;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The last known gap, from before this process started. */
  readonly engineGap: Facts["engineGap"];
  /** When a node last saw this engine answer, wall clock; 0 when never. */
  readonly lastSeenMs: number;
  /** When the host came up, wall clock. */
  readonly hostStartedAtMs: number;
  readonly onGap: (gap: NonNullable<Facts["engineGap"]>) => void;
  /** A full list this often repairs what no event told, milliseconds. */
  readonly resyncIntervalMs: number;
  /** Labels that this node's settings give its host, for constraints. */
  readonly nodeLabels: Readonly<Record<string, string>>;
}

/** How often a list that failed is tried again. */
const RETRY_INTERVAL_MS = 500;
/** How often the engine is asked whether it is there, and how long it may take: a hung one is known within their sum. */
const PROBE_INTERVAL_MS = 2_000;
const PROBE_DEADLINE_MS = 3_000;
/** So long after an engine was lost it may only be on its way back. */
const RETURN_MS = 10_000;

/** Container events after which the container is read again. */
const RELEVANT =
  /^(create|start|die|stop|kill|oom|pause|unpause|restart|rename|update|health_status.*|destroy)$/;

/** Lists until it succeeds, one list at a time; asked for during a list, it lists once more. */
function createRepair(
  clock: Clock,
  list: (signal: AbortSignal) => Promise<boolean>,
): (signal: AbortSignal) => Promise<void> {
  let repairing: Promise<void> | undefined;
  let stale = false;
  async function run(signal: AbortSignal): Promise<void> {
    while (stale && !signal.aborted) {
      stale = false;
      if (await list(signal)) continue;
      stale = true;
      await clock.sleep(RETRY_INTERVAL_MS, signal).catch(() => undefined);
    }
  }
  return (signal) => {
    stale = true;
    repairing ??= run(signal).finally(() => (repairing = undefined));
    return repairing;
  };
}

/** Makes an empty board; `run` fills it. */
export function createFactsBoard(options: BoardOptions): FactsBoard {
  const { engine, clock, logger, nodeLabels } = options;
  let engineGap = options.engineGap;
  let ready = false;
  let problem: string | undefined;
  let lostAtMs: number | undefined;
  let facts: Facts | undefined;
  const listeners = new Set<(change: BoardChange) => void>();
  const hushed = new Set<string>();
  const picture = createEnginePicture({ engine, clock, logger, nodeLabels, onChange: announce });

  function announce(scopes: ReadonlySet<string> | undefined, event?: EngineEvent): void {
    facts = undefined;
    for (const listener of listeners) listener({ scopes, event });
  }

  function read(): Facts {
    facts ??= { ...picture.read(), engineGap };
    return facts;
  }

  async function relist(): Promise<void> {
    await picture.relist();
    ready = true;
    problem = undefined;
    announce(undefined);
  }

  function degrade(error: unknown): void {
    const said = FairleadError.from(error).message;
    if (problem === undefined) logger.warn("the engine does not answer", { reason: said });
    problem = said;
    lostAtMs ??= clock.nowMs();
    ready = false;
    announce(undefined);
  }

  async function follow(event: EngineEvent, signal: AbortSignal): Promise<void> {
    try {
      if (event.type === "container") {
        const action = event.action.split(":")[0] ?? "";
        if (!RELEVANT.test(action) || hushed.has(event.attributes["name"] ?? "")) return;
        // One container that the engine cannot describe must not hide the others.
        await picture
          .refresh(event.id)
          .catch((error: unknown) => picture.keepUnreadable(event.id, error));
      } else if (event.type === "network" && /^(create|destroy|remove)$/.test(event.action)) {
        await picture.refreshNetworks();
      } else if (event.type === "volume" && /^(create|destroy)$/.test(event.action)) {
        await picture.refreshVolumes();
      } else if (event.type === "image") await picture.refreshImages();
    } catch (error) {
      if (signal.aborted) return;
      degrade(error);
      await repair(signal);
    }
  }

  /** An engine or a host that came up after a node last looked has ended its containers in between. */
  async function findEarlierGap(): Promise<void> {
    if (picture.asOfMs > 0 || options.lastSeenMs === 0) return;
    const startedAtMs = (await engine.info().catch(() => undefined))?.startedAtMs ?? 0;
    if (Math.max(startedAtMs, options.hostStartedAtMs) <= options.lastSeenMs) return;
    setGap({ fromMs: options.lastSeenMs, toMs: clock.nowMs() });
  }

  function setGap(gap: NonNullable<Facts["engineGap"]>): void {
    engineGap = gap;
    options.onGap(gap);
  }

  async function handleLoss(signal: AbortSignal, restarted: boolean): Promise<void> {
    if (restarted && lostAtMs !== undefined) setGap({ fromMs: lostAtMs, toMs: clock.nowMs() });
    else await findEarlierGap();
    picture.forgetNode();
    await repair(signal);
  }

  const repair = createRepair(clock, async (signal) => {
    try {
      await relist();
      lostAtMs = undefined;
      return true;
    } catch (error) {
      if (!signal.aborted) degrade(error);
      return false;
    }
  });

  async function resync(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(options.resyncIntervalMs, signal).catch(() => undefined);
      if (!signal.aborted && lostAtMs === undefined) await repair(signal);
    }
  }

  /** A hung engine says nothing and closes nothing: only a question that stays open shows it. */
  async function probe(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(PROBE_INTERVAL_MS, signal).catch(() => undefined);
      if (signal.aborted || lostAtMs !== undefined || picture.asOfMs === 0) continue;
      try {
        await engine.ping({ signal, deadlineMs: PROBE_DEADLINE_MS });
        for (const id of picture.unreadable.keys()) void picture.refresh(id).catch(() => undefined);
      } catch (error) {
        if (signal.aborted) return;
        degrade(error);
        await repair(signal);
      }
    }
  }

  async function watch(signal: AbortSignal): Promise<void> {
    for await (const item of engine.watch({ signal })) {
      if (item.kind === "event") {
        for (const listener of listeners) listener({ scopes: new Set(), event: item.event });
        void follow(item.event, signal);
      } else if (item.kind === "disconnected") {
        lostAtMs ??= clock.nowMs();
        problem = item.error;
        ready = false;
        announce(undefined);
      } else if (item.kind === "connected") await handleLoss(signal, item.restarted);
      else await repair(signal);
    }
  }

  function hush(name: string): Disposable {
    hushed.add(name);
    return { [Symbol.dispose]: () => void hushed.delete(name) };
  }

  /** Whether the engine may be ready soon: it was not asked yet, went away just now, or answers and is only not read yet. */
  async function mayComeSoon(): Promise<boolean> {
    if (problem === undefined) return true;
    if (picture.asOfMs > 0 && clock.nowMs() - (lostAtMs ?? 0) < RETURN_MS) return true;
    const asked = engine.ping({ deadlineMs: PROBE_DEADLINE_MS });
    return asked.then(() => true).catch(() => false);
  }

  function awaitChange(maxMs: number): Promise<void> {
    const changed = new AbortController();
    const leave = onChange(() => changed.abort());
    const late = clock.sleep(maxMs, changed.signal).catch(() => undefined);
    return late.finally(leave);
  }

  async function settle(maxMs: number): Promise<void> {
    const giveUpMs = clock.monotonicMs() + maxMs;
    const isSoon = async () => !ready && (await mayComeSoon()) && !ready;
    while (await isSoon()) {
      const restMs = giveUpMs - clock.monotonicMs();
      if (restMs <= 0) return;
      await awaitChange(restMs);
    }
  }

  function onChange(listener: (change: BoardChange) => void): () => void {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  return {
    read,
    settle,
    get ready() {
      return ready;
    },
    get problem() {
      return problem;
    },
    unreadable: picture.unreadable,
    find: picture.find,
    refresh: picture.refresh,
    refreshNetworks: picture.refreshNetworks,
    refreshVolumes: picture.refreshVolumes,
    refreshImages: picture.refreshImages,
    relist,
    onChange,
    hush,
    run: async (signal) => {
      await Promise.all([watch(signal), resync(signal), probe(signal)]);
    },
  };
}
