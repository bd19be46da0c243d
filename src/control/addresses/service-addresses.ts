// SPDX-License-Identifier: Apache-2.0
// Service addresses: gives each service that asks for one its address, and makes this host's kernel balance it over the
// instances that are well. While store or engine are away, what stands in the kernel stays.
import type { Balancer, BalanceOutcome } from "#balance/balancer.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { FleetPicture } from "#brain/fleet/picture.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import type { Farewells } from "#control/farewells.ts";
import type { Intent } from "#model/intent.ts";
import type { AddressEntry, AddressShelf } from "./address-shelf.ts";
import { describeGift, describeRepair, describeTaking } from "./describe-address.ts";
import { isGiver } from "./is-giver.ts";
import { giveAddress, listAddresses, listWishes, takeAddress } from "./keep-addresses.ts";
import { listSpaces } from "./list-spaces.ts";

export interface ServiceAddressesOptions {
  readonly shelf: AddressShelf;
  readonly balancer: Balancer;
  readonly board: Pick<FactsBoard, "read" | "ready" | "onChange">;
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  /** Blocks of which services get their addresses. */
  readonly ranges: readonly string[];
  /** What this node manages, but for what is being removed; undefined while that is not known. */
  readonly intents: () => readonly Intent[] | undefined;
  /** Whether anybody wants a service to have an address; undefined while that is not known. */
  readonly isWanted: (key: string) => boolean | undefined;
  /** The fleet as this node sees it; undefined for a node by itself. */
  readonly fleet:
    | {
        readonly self: string;
        /** By what is wanted and assigned; of what nodes report as much as is known. */
        readonly picture: () => FleetPicture;
        /** With what all nodes report. */
        readonly readPicture: () => Promise<FleetPicture>;
      }
    | undefined;
  /** Instances that are about to be stopped. */
  readonly farewells: Pick<Farewells, "has" | "onChange">;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ServiceAddresses {
  /** The addresses of a service; empty where it has none. */
  find(scope: string, service: string): readonly string[];
  /** Calls the listener when services get or lose addresses; returns how to stop that. */
  onChange(listener: () => void): () => void;
  /** Resolves once the kernel has what is to be so now, or that takes too long. */
  settle(): Promise<void>;
  /** Removes the rules in every namespace, and names the tables; what is still wanted is made again. */
  clear(): Promise<readonly string[]>;
  /** Looks soon: what is wanted may be different. */
  wake(): void;
  /** Why addresses may not reach where they should. */
  readonly problem: string | undefined;
  run(signal: AbortSignal): Promise<void>;
}

/** How often the kernel is looked at although nothing was told. */
const CHECK_MS = 5_000;
const SETTLE_MS_MAX = 2_000;
/** A service that nobody wants any more keeps its address so long: it may be on its way back. */
const RELEASE_MS = 30_000;
/** How long the node whose it is may take to give an address, or to take it back, before others do. */
const LATE_MS = 3_000;

/** Makes the loop. */
export function createServiceAddresses(options: ServiceAddressesOptions): ServiceAddresses {
  const { shelf, balancer, board, decisions, ranges, clock, logger } = options;
  const unwantedSince = new Map<string, number>();
  /** Services that another node is to give an address. */
  const ungivenSince = new Map<string, number>();
  const waiting: (() => void)[] = [];
  const listeners = new Set<() => void>();
  let entries: ReadonlyMap<string, AddressEntry> | undefined;
  let problem: string | undefined;
  let isFirst = true;
  let isKnown = false;
  let isDue = true;
  let checkedMs = clock.monotonicMs();
  let ringBell = (): void => undefined;

  const needEntries = (): ReadonlyMap<string, AddressEntry> => (entries ??= listAddresses(shelf));

  function wake(): void {
    isDue = true;
    ringBell();
  }

  async function record(
    action: Parameters<DecisionLog["begin"]>[0],
    key: string,
    act: () => Promise<string>,
  ): Promise<void> {
    const scope = key.split("/")[0] ?? "";
    const decision = await decisions.begin(action, { scope, actor: "automatic" });
    try {
      await decisions.finish(decision, { outcome: "done", result: await act() });
    } catch (thrown) {
      const { message } = FairleadError.from(thrown);
      await decisions.finish(decision, { outcome: "failed", result: message });
      throw thrown;
    }
  }

  const isOurs = (key: string): boolean =>
    isGiver(key, options.fleet && { ...options.fleet, picture: options.fleet.picture() });

  /** Whether another node is to do it, and has time for it yet. */
  function isLeftToOthers(key: string): boolean {
    if (isOurs(key)) return false;
    const sinceMs = ungivenSince.get(key) ?? clock.monotonicMs();
    ungivenSince.set(key, sinceMs);
    return clock.monotonicMs() - sinceMs < LATE_MS;
  }

  async function give(intents: readonly Intent[]): Promise<void> {
    const wishes = intents.flatMap(listWishes);
    const open = new Set(wishes.map(({ key }) => key).filter((key) => !needEntries().has(key)));
    for (const key of ungivenSince.keys()) if (!open.has(key)) ungivenSince.delete(key);
    for (const wish of wishes) {
      if (needEntries().has(wish.key)) {
        await giveAddress(wish, ranges, shelf);
        continue;
      }
      if (isLeftToOthers(wish.key)) continue;
      await record(describeGift(wish.key, clock.nowMs()), wish.key, async () => {
        await giveAddress(wish, ranges, shelf);
        return needEntries().get(wish.key)?.addresses.join(" ") ?? "";
      });
    }
  }

  async function take(): Promise<void> {
    const nowMs = clock.monotonicMs();
    for (const key of unwantedSince.keys()) if (!needEntries().has(key)) unwantedSince.delete(key);
    for (const key of needEntries().keys()) {
      const isWanted = options.isWanted(key);
      if (isWanted !== false) unwantedSince.delete(key);
      else if (!unwantedSince.has(key)) unwantedSince.set(key, nowMs);
      else if (
        nowMs - (unwantedSince.get(key) ?? nowMs) >=
        RELEASE_MS + (isOurs(key) ? 0 : LATE_MS)
      )
        await record(describeTaking(key, clock.nowMs()), key, async () =>
          (await takeAddress(key, shelf)) ? "free again" : "another node did",
        );
    }
  }

  /** Those that are wanted: a service that is being removed is in no kernel, although its address is kept a while. */
  function listServed(): ReadonlyMap<string, AddressEntry> {
    return new Map([...needEntries()].filter(([key]) => options.isWanted(key) !== false));
  }

  async function note({ changes, failures }: BalanceOutcome, isIdle: boolean): Promise<void> {
    for (const { space, kind } of changes) {
      if (kind !== "repair") continue;
      const instance = board.read().instances.find(({ id }) => id === space);
      const action = describeRepair(instance?.name ?? space, clock.nowMs());
      await record(action, `${instance?.scope ?? ""}/`, () => Promise.resolve("made anew"));
    }
    const [failure] = isIdle ? [] : failures.values();
    const text = failure === undefined ? undefined : FairleadError.from(failure).message;
    if (text !== undefined && text !== problem)
      logger.warn("service addresses are not as they should be", { reason: text });
    problem = text;
  }

  async function pass(signal: AbortSignal): Promise<void> {
    isKnown ||= shelf.problem === undefined;
    const intents = options.intents();
    if (!board.ready || !isKnown || intents === undefined) return;
    if (shelf.problem === undefined) {
      await give(intents);
      await take();
    }
    const served = listServed();
    if (served.size === 0 && needEntries().size === 0 && !isFirst) return;
    const spaces = listSpaces({
      facts: board.read(),
      addresses: served,
      managed: new Set(intents.map(({ scope }) => scope)),
      isLeaving: (id) => options.farewells.has(id),
      fleet:
        options.fleet === undefined || served.size === 0
          ? undefined
          : { self: options.fleet.self, picture: await options.fleet.readPicture() },
    });
    await note(await balancer.apply(spaces, signal), spaces.length === 0);
    isFirst = false;
    if (clock.monotonicMs() - checkedMs < CHECK_MS) return;
    checkedMs = clock.monotonicMs();
    await note(await balancer.check(signal), spaces.length === 0);
  }

  /** Until there is something to do, or it is time to look. */
  async function wait(signal: AbortSignal): Promise<void> {
    if (!isDue) {
      const ringing = new AbortController();
      ringBell = () => ringing.abort();
      await clock.sleep(CHECK_MS, AbortSignal.any([signal, ringing.signal])).catch(() => undefined);
      ringBell = () => undefined;
    }
    isDue = false;
  }

  /** Resolves after a pass that begins from now on. */
  async function settle(): Promise<void> {
    if (needEntries().size === 0) return;
    const done = new Promise<void>((resolve) => waiting.push(resolve));
    wake();
    const enough = new AbortController();
    const late = clock.sleep(SETTLE_MS_MAX, enough.signal).catch(() => undefined);
    await Promise.race([done, late]);
    enough.abort();
  }

  return {
    find: (scope, service) => needEntries().get(`${scope}/${service}`)?.addresses ?? [],
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    settle,
    async clear() {
      const { changes, failures } = await balancer.apply([]);
      const [failure] = failures.values();
      if (failure !== undefined) throw FairleadError.from(failure);
      return changes.map(({ space }) => `table inet fairlead_services of ${space}`);
    },
    wake,
    get problem() {
      return problem;
    },
    async run(signal) {
      const stops = [board.onChange(wake), options.farewells.onChange(wake)];
      shelf.onChange(() => {
        entries = undefined;
        wake();
        for (const listener of listeners) listener();
      });
      while (!signal.aborted) {
        await wait(signal);
        if (signal.aborted) break;
        const told = waiting.splice(0);
        try {
          await pass(signal);
        } catch (thrown) {
          const { message } = FairleadError.from(thrown);
          if (message !== problem && !signal.aborted)
            logger.warn("service addresses could not be looked after", { reason: message });
          problem = message;
        }
        for (const resolve of told) resolve();
      }
      for (const stop of stops) stop();
    },
  };
}
