// SPDX-License-Identifier: Apache-2.0
// Instances that are about to run, as policies see them: the engine tells that a network is connected well before it runs the
// instance's program, and it inspects nothing that it is starting. What policies come to is made meanwhile, so that an instance
// whose rules are in can talk from its first moment on. Whatever is not foreseen is seen when the engine tells of the start.
import type { Clock } from "#base/clock.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import type { EngineEvent, EngineReader } from "#engine/engine.ts";
import type { Guard } from "#guard/guard.ts";
import type { Facts, InstanceFact } from "#model/facts.ts";

/** The facts as policies need them. */
export interface PolicyBoard extends Pick<FactsBoard, "read" | "ready" | "onChange"> {
  /** Ids of those of what was read that have no port yet: rules can be made for them, and no way be opened. */
  listComing(): ReadonlySet<string>;
}

export interface ForesightOptions {
  readonly board: Pick<FactsBoard, "read" | "ready" | "onChange">;
  readonly engine: Pick<EngineReader, "previewInstance">;
  readonly guard: Pick<Guard, "awaitStart">;
  /** Whether there are policies at all. */
  readonly isWanted: () => boolean;
  readonly clock: Pick<Clock, "monotonicMs">;
}

/** How long a start may take until the engine tells of it; what it does not tell of by then has failed. */
const LASTS_MS = 30_000;

/** What is known of a start. */
interface Start {
  readonly fact: InstanceFact;
  readonly isConnected: boolean;
  readonly sinceMs: number;
}

const runs = ({ state }: InstanceFact): boolean => state === "running" || state === "paused";

const listAddresses = ({ endpoints = {} }: InstanceFact): readonly string[] =>
  Object.values(endpoints).flatMap(({ addresses }) => addresses);

/** Addresses of a network are one instance's: whoever seems to have one that is given anew has ended, and is read late. */
function giveWay(fact: InstanceFact, starts: readonly InstanceFact[]): InstanceFact {
  const endpoints = Object.entries(fact.endpoints ?? {});
  const kept = endpoints.filter(([network, { addresses }]) =>
    starts.every(
      ({ endpoints: others = {} }) =>
        others[network]?.addresses.some((address) => addresses.includes(address)) !== true,
    ),
  );
  return kept.length === endpoints.length ? fact : { ...fact, endpoints: Object.fromEntries(kept) };
}

/** A board with those who are about to run, as they will be. Disposed of, it foresees nothing more. */
export function foreseeStarts(options: ForesightOptions): PolicyBoard & Disposable {
  const { board, engine, guard, isWanted, clock } = options;
  const starts = new Map<string, Start>();
  /** Those that are waited for. */
  const awaited = new Map<string, AbortController>();
  const listeners = new Set<Parameters<PolicyBoard["onChange"]>[0]>();

  function announce(): void {
    for (const listener of listeners) listener({ scopes: new Set(), event: undefined });
  }

  async function meet(id: string, signal: AbortSignal): Promise<void> {
    const preview = await engine.previewInstance(id);
    // One that runs already gets a further network.
    if (preview === undefined || runs(preview) || preview.networkFrom !== undefined) return;
    const addresses = listAddresses(preview);
    if (addresses.length === 0 || guard.awaitStart === undefined) return;
    for await (const { pid, isConnected } of guard.awaitStart(id, addresses, signal)) {
      if (signal.aborted) return;
      const fact: InstanceFact = { ...preview, state: "running", pid };
      starts.set(id, { fact, isConnected, sinceMs: clock.monotonicMs() });
      announce();
    }
  }

  async function expect(id: string): Promise<void> {
    awaited.get(id)?.abort();
    const turn = new AbortController();
    awaited.set(id, turn);
    try {
      await meet(id, turn.signal);
    } catch {
      // What an engine does not answer now, it is asked again when it tells of the start.
    } finally {
      if (awaited.get(id) === turn) awaited.delete(id);
    }
  }

  function forget(id: string): void {
    awaited.get(id)?.abort();
    if (starts.delete(id)) announce();
  }

  /** It runs, so it is on its networks; from now on the engine itself says which process it is. */
  function settle(id: string): void {
    awaited.get(id)?.abort();
    const start = starts.get(id);
    if (start !== undefined) starts.set(id, { ...start, isConnected: true });
  }

  function follow({ type, action, id, attributes }: EngineEvent): void {
    const { container = "" } = attributes;
    if (type === "network" && action === "connect" && container !== "" && isWanted())
      void expect(container);
    else if (type === "network" && action === "disconnect") forget(container);
    else if (type === "container" && (action === "die" || action === "destroy")) forget(id);
    else if (type === "container" && action === "start") settle(id);
  }

  /** Starts of which the engine has not told yet. */
  function listStarts({ instances }: Facts): readonly InstanceFact[] {
    if (starts.size === 0) return [];
    const known = new Map(instances.map((one) => [one.id, one]));
    for (const [id, { fact, sinceMs }] of starts) {
      const isTold = known.get(id)?.pid === fact.pid;
      if (isTold || clock.monotonicMs() - sinceMs > LASTS_MS) starts.delete(id);
    }
    return [...starts.values()].map(({ fact }) => fact);
  }

  const leave = board.onChange(({ event }) => {
    if (event !== undefined) follow(event);
  });

  return {
    get ready() {
      return board.ready;
    },
    read() {
      const facts = board.read();
      const news = listStarts(facts);
      if (news.length === 0) return facts;
      const ids = new Set(news.map(({ id }) => id));
      const others = facts.instances.filter(({ id }) => !ids.has(id));
      return { ...facts, instances: [...others.map((one) => giveWay(one, news)), ...news] };
    },
    listComing: () =>
      new Set([...starts].flatMap(([id, { isConnected }]) => (isConnected ? [] : [id]))),
    onChange(listener) {
      const stop = board.onChange(listener);
      listeners.add(listener);
      return () => {
        stop();
        listeners.delete(listener);
      };
    },
    [Symbol.dispose]() {
      leave();
      for (const turn of awaited.values()) turn.abort();
    },
  };
}
