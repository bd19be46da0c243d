// SPDX-License-Identifier: Apache-2.0
// Instances that are about to be stopped: nobody on this host sends anything new there, nor on the others of the fleet, which
// are told and say when they have done so. From hub to hub and not through the store: a stop waits for it.
import type { NodeIdentity, NodeLinks } from "@fairlead/fabric/node-links.ts";
import { z } from "zod";
import { awaitAbort } from "#base/await-abort.ts";
import type { Clock } from "#base/clock.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import { gatherCalls } from "#control/gather-calls.ts";
import type { Roll } from "#control/roll.ts";
import type { InstanceFact } from "#model/facts.ts";

export interface FarewellsOptions {
  readonly board: Pick<FactsBoard, "read" | "onChange">;
  /** The other nodes; undefined for a node by itself. */
  readonly fleet:
    | {
        readonly self: string;
        readonly nodes: Pick<NodeLinks, "tell" | "onTold" | "onTurn">;
        readonly roll: Pick<Roll, "list" | "onLook">;
      }
    | undefined;
  /** Names this life of the node: what was said to another one of it counts no more. */
  readonly life: string;
  readonly clock: Clock;
}

export interface Farewells {
  /** Whether an instance, of this host or another, is about to be stopped. */
  has(id: string): boolean;
  /** Adds who sends to instances: what it returns resolves once it sends nothing new to those that are leaving now. */
  heed(settle: () => Promise<void>): void;
  /** Calls the listener at once when others are leaving, with the scope of one of this host; returns how to stop that. */
  onChange(listener: (scope: string | undefined) => void): () => void;
  /** Returns once nothing new goes to an instance of this host, or that takes too long; until disposed of it stays so. */
  part(instance: Pick<InstanceFact, "id" | "scope">): Promise<Disposable>;
  run(signal: AbortSignal): Promise<void>;
}

const LEAVING = "leaving";
const PARTED = "parted";
const PART_MS_MAX = 2_000;
/** Other hosts learn from the store that an instance has stopped: so long they are told besides. */
const LINGER_MS = 10_000;
const IDS_MAX = 10_000;

const ToldLeaving = z.object({
  life: z.string().max(100),
  ids: z.array(z.string().max(100)).max(IDS_MAX),
});
type ToldLeaving = z.infer<typeof ToldLeaving>;
/** By the id of the node whose instances they are. */
const ToldParted = z.record(z.string().max(100), ToldLeaving);

const NOTHING: ToldLeaving = { life: "", ids: [] };

/** Makes the loop. */
export function createFarewells(options: FarewellsOptions): Farewells {
  const { board, fleet, life, clock } = options;
  /** How many calls of `part` hold an instance back. */
  const own = new Map<string, number>();
  /** Those that were stopped a moment ago. */
  const stopped = new Set<string>();
  /** By node: what is leaving there, what this host has parted from, and what of this host that one has parted from. */
  const heard = new Map<string, ToldLeaving>();
  const parted = new Map<string, ToldLeaving>();
  const acknowledged = new Map<string, ToldLeaving>();
  const followers: (() => Promise<void>)[] = [];
  const listeners = new Set<(scope: string | undefined) => void>();
  const waiting = new Set<() => void>();
  const ending = new AbortController();

  const settleAll = async (): Promise<void> => {
    await Promise.all(followers.map((settle) => settle()));
  };

  function changed(scope?: string): void {
    for (const listener of listeners) listener(scope);
  }

  /** After what listeners say themselves, so that who hears of it has heard that before. */
  const tellSoon = gatherCalls(() => {
    const ids = [...new Set([...own.keys(), ...stopped])].slice(0, IDS_MAX);
    fleet?.nodes.tell(LEAVING, { life, ids });
  });

  /** Another host's: it is told once nothing new goes there from here. */
  async function attend(node: NodeIdentity, told: ToldLeaving): Promise<void> {
    heard.set(node.id, told);
    changed();
    if (told.ids.length > 0) await settleAll();
    // Meanwhile more may have been told; the last one is answered.
    if (heard.get(node.id) !== told) return;
    parted.set(node.id, told);
    fleet?.nodes.tell(PARTED, Object.fromEntries(parted));
  }

  function take(node: NodeIdentity, key: string, value: unknown): void {
    if (key === LEAVING) {
      const told = ToldLeaving.safeParse(value);
      if (told.success) void attend(node, told.data);
    } else if (key === PARTED && fleet !== undefined) {
      const told = ToldParted.safeParse(value);
      acknowledged.set(node.id, (told.success ? told.data[fleet.self] : undefined) ?? NOTHING);
      for (const look of waiting) look();
    }
  }

  function forget(id: string): void {
    acknowledged.delete(id);
    parted.delete(id);
    if (heard.delete(id)) changed();
  }

  /** Whether every node that lives has parted from it. */
  function isKnown(id: string): boolean {
    const others = fleet?.roll.list().filter(({ self, state }) => !self && state === "alive") ?? [];
    return others.every((node) => {
      const told = acknowledged.get(node.id);
      return told?.life === life && told.ids.includes(id);
    });
  }

  async function awaitOthers(id: string, late: Promise<void>): Promise<void> {
    const known = Promise.withResolvers<void>();
    const look = (): void => {
      if (isKnown(id) || ending.signal.aborted) known.resolve();
    };
    waiting.add(look);
    look();
    await Promise.race([known.promise, late]);
    waiting.delete(look);
  }

  function release(id: string, scope: string): void {
    const held = (own.get(id) ?? 1) - 1;
    if (held > 0) {
      own.set(id, held);
      return;
    }
    own.delete(id);
    if (fleet !== undefined && !isRunning(id)) linger(id);
    changed(scope);
    void tellSoon();
  }

  const isRunning = (id: string): boolean =>
    board.read().instances.some((one) => one.id === id && one.state === "running");

  function linger(id: string): void {
    stopped.add(id);
    void clock
      .sleep(LINGER_MS, ending.signal)
      .catch(() => undefined)
      .then(() => {
        if (stopped.delete(id)) void tellSoon();
      });
  }

  /** One that was started again takes what comes. */
  function lookAtStopped(): void {
    for (const id of stopped) if (isRunning(id) && stopped.delete(id)) void tellSoon();
  }

  return {
    has: (id) => own.has(id) || [...heard.values()].some(({ ids }) => ids.includes(id)),
    heed: (settle) => void followers.push(settle),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async part({ id, scope }) {
      own.set(id, (own.get(id) ?? 0) + 1);
      stopped.delete(id);
      changed(scope);
      void tellSoon();
      const enough = new AbortController();
      const late = clock.sleep(PART_MS_MAX, enough.signal).catch(() => undefined);
      await Promise.race([Promise.all([settleAll(), awaitOthers(id, late)]), late]);
      enough.abort();
      return { [Symbol.dispose]: () => release(id, scope) };
    },
    async run(signal) {
      const lookAll = (): void => {
        for (const look of waiting) look();
      };
      const stops = [board.onChange(lookAtStopped)];
      if (fleet !== undefined) {
        const { nodes, roll } = fleet;
        const lost = (): void => {
          const states = new Map(roll.list().map(({ id, state }) => [id, state]));
          for (const id of heard.keys())
            if (!/alive|suspect/.test(states.get(id) ?? "")) forget(id);
        };
        stops.push(nodes.onTold(take), roll.onLook(lookAll), roll.onLook(lost));
        void tellSoon();
      }
      await awaitAbort(signal);
      ending.abort();
      lookAll();
      for (const stop of stops) stop();
    },
  };
}
