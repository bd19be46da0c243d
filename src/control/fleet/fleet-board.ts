// SPDX-License-Identifier: Apache-2.0
// The fleet's part of the store as this node sees it, kept by one watch, and this node's lease in it. What nodes report has
// a watch of its own, while somebody holds it. While the store is away the last picture holds, and says so.
import type { Clock, Random } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { createId } from "#base/ids.ts";
import type { Logger } from "#base/logger.ts";
import { controlErrors } from "#control/errors.ts";
import type { Entry, Store, StoreChange, StoreCondition, StoreOperation } from "#store/store.ts";
import { createHeldRoom, type RoomHold } from "./held-room.ts";

const SESSION_MS = 10_000;
const RENEWALS_PER_LEASE = 4;
const RETRY_MS = 1_000;
/** Why the other loops of an attempt end: told to nobody, and cheaper than a reason with a stack. */
const ENDED = "the store is attended no more";
const IDENTITY = "identity";
const REPORTS = "reports";
const REPORTS_PREFIX = `${REPORTS}/`;

export interface FleetBoardOptions {
  openStore(): Promise<Store>;
  /** Called with the store when the node ends and reaches it, before the lease is given back. */
  readonly onLeave?: (store: Store) => Promise<void>;
  /** How long what hangs on this node's lease outlives it. Default 10 s. */
  readonly sessionMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface FleetBoard {
  /** Why the picture may be old; undefined while the store answers. */
  readonly problem: string | undefined;
  /** Names this content of the store: a store that lost everything gets another. Undefined until it was read. */
  readonly identity: string | undefined;
  /** This node's lease; undefined while it may have ended. */
  readonly lease: string | undefined;
  /** The same while it surely lives, also while the store does not answer: no other node counts this one as away yet. */
  readonly heldLease: string | undefined;
  /** Operations that one `write` surely takes. */
  readonly operationsMax: number;
  get(key: string): Entry | undefined;
  /** Whether the picture has the reports of nodes as they stand in the store; without that it has none. */
  readonly hasReports: boolean;
  /** Has the reports of nodes in the picture, until disposed of and for a while after. */
  holdReports(): RoomHold;
  /** Entries by what follows `room/` in their keys. */
  list(room: string): ReadonlyMap<string, Entry>;
  /** Writes, and returns when the picture has it. Undefined when a condition does not hold. Throws FL0712, or the store's. */
  write(
    operations: readonly StoreOperation[],
    conditions?: readonly StoreCondition[],
  ): Promise<number | undefined>;
  /** Called after each change of picture, problem or lease; with the keys that a change of the store named. */
  onChange(listener: (keys: readonly string[]) => void): void;
  run(signal: AbortSignal): Promise<void>;
}

function splitKey(key: string): readonly [room: string, rest: string] {
  const at = key.indexOf("/");
  return at < 0 ? [key, ""] : [key.slice(0, at), key.slice(at + 1)];
}

/** Whether a change that named these keys may have touched one of the rooms: without a key it may have touched all. */
export function touches(keys: readonly string[], rooms: ReadonlySet<string>): boolean {
  return keys.length === 0 || keys.some((key) => rooms.has(splitKey(key)[0]));
}

function createLost(): FairleadError {
  return new FairleadError(controlErrors["fleet-store-away"], "it has lost what it had");
}

/** Makes the board; nothing is opened before `run`. */
export function createFleetBoard(options: FleetBoardOptions): FleetBoard {
  const { clock, random, logger, sessionMs = SESSION_MS } = options;
  const rooms = new Map<string, Map<string, Entry>>();
  const listeners: ((keys: readonly string[]) => void)[] = [];
  const waiting: (() => void)[] = [];
  let store: Store | undefined;
  let problem: string | undefined = "the store was not asked yet";
  let revision = 0;
  let reportsRevision = 0;
  /** How often everything was read anew. */
  let picture = 0;
  let lease = "";
  let leaseEndsMs = 0;

  function tell(keys: readonly string[] = []): void {
    for (const resolve of waiting.splice(0)) resolve();
    for (const listener of listeners) listener(keys);
  }

  function roomOf(name: string): Map<string, Entry> {
    let room = rooms.get(name);
    if (room === undefined) rooms.set(name, (room = new Map()));
    return room;
  }

  function take(entry: Entry): void {
    const [room, rest] = splitKey(entry.key);
    roomOf(room).set(rest, entry);
  }

  function takeChanges(changes: readonly StoreChange[]): void {
    for (const { kind, key, value, revision: at } of changes) {
      const [room, rest] = splitKey(key);
      if (kind === "delete" && key === IDENTITY) throw createLost();
      if (kind === "put") take({ key, value, revision: at });
      else roomOf(room).delete(rest);
      if (room === REPORTS) reportsRevision = Math.max(reportsRevision, at);
      else revision = Math.max(revision, at);
    }
    tell(changes.map(({ key }) => key));
  }

  const reports = createHeldRoom({
    prefix: REPORTS_PREFIX,
    clock,
    onList(snapshot) {
      rooms.delete(REPORTS);
      snapshot.entries.forEach(take);
      reportsRevision = snapshot.revision;
      tell();
    },
    onChanges: takeChanges,
    onLeave() {
      rooms.delete(REPORTS);
      tell();
    },
  });

  async function follow(from: Store, signal: AbortSignal): Promise<void> {
    const value = createId("fleet", clock.nowMs(), random);
    await from.transact([{ kind: "put", key: IDENTITY, value }], [{ key: IDENTITY, revision: 0 }], {
      signal,
    });
    const snapshot = await from.list("", { signal, except: REPORTS_PREFIX });
    // Between the two it can have lost everything, this word too, and without it nobody would say again what was wanted.
    if (snapshot.entries.every(({ key }) => key !== IDENTITY)) throw createLost();
    const said = await reports.read(from, signal);
    rooms.clear();
    picture++;
    snapshot.entries.forEach(take);
    revision = snapshot.revision;
    if (problem !== undefined) logger.info("the fleet's store answers", {});
    problem = undefined;
    const following = reports.follow(from, said, signal);
    following.catch(() => undefined);
    tell();
    await Promise.all([following, followRest(from, signal)]);
  }

  async function followRest(from: Store, signal: AbortSignal): Promise<void> {
    const options = { signal, except: REPORTS_PREFIX };
    for await (const changes of from.watch("", revision, options)) takeChanges(changes);
  }

  const holdsLease = (): boolean => lease !== "" && clock.monotonicMs() < leaseEndsMs;

  async function keepLease(of: Store, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const askedMs = clock.monotonicMs();
      const lives = lease !== "" && (await of.renewLease(lease, { signal }));
      if (!lives) lease = (await of.grantLease(sessionMs, { signal })).id;
      const held = holdsLease();
      leaseEndsMs = askedMs + sessionMs;
      // Also after an answer that came so late that it could have ended meanwhile: then nobody counts on it.
      if (!lives || !held) tell();
      await clock.sleep(sessionMs / RENEWALS_PER_LEASE, signal).catch(() => undefined);
    }
  }

  async function attend(one: Store, signal: AbortSignal): Promise<void> {
    const failing = new AbortController();
    const either = AbortSignal.any([signal, failing.signal]);
    try {
      await Promise.all([keepLease(one, either), follow(one, either)]);
    } finally {
      failing.abort(ENDED);
    }
  }

  /** Whether the picture has what a write did, or never will. Of a deletion of what was not there a watch never tells. */
  function shows({ kind, key }: StoreOperation, at: number): boolean {
    const [room, rest] = splitKey(key);
    if (room === REPORTS && !reports.isKnown) return true;
    if ((room === REPORTS ? reportsRevision : revision) >= at) return true;
    const entry = rooms.get(room)?.get(rest);
    return kind === "put" ? (entry?.revision ?? 0) >= at : entry === undefined;
  }

  /** Resolves when the picture has what was done, or is another one: the store may have been lost meanwhile. */
  async function confirm(
    operations: readonly StoreOperation[],
    at: number,
    of: number,
  ): Promise<void> {
    while (problem === undefined && picture === of) {
      if (operations.every((operation) => shows(operation, at))) return;
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  }

  return {
    get problem() {
      return problem;
    },
    get identity() {
      const entry = rooms.get(IDENTITY)?.get("");
      return entry === undefined ? undefined : String(entry.value);
    },
    get lease() {
      return problem === undefined && holdsLease() ? lease : undefined;
    },
    get heldLease() {
      return holdsLease() ? lease : undefined;
    },
    get operationsMax() {
      return store?.operationsMax ?? 1;
    },
    get(key) {
      const [room, rest] = splitKey(key);
      return rooms.get(room)?.get(rest);
    },
    get hasReports() {
      return reports.isKnown;
    },
    holdReports: () => reports.hold(),
    list: (room) => roomOf(room),
    async write(operations, conditions = []) {
      if (store === undefined || problem !== undefined)
        throw new FairleadError(
          controlErrors["fleet-store-away"],
          `the fleet's store: ${problem ?? "is not open"}`,
        );
      const of = picture;
      const at = await store.transact(operations, conditions);
      if (at !== undefined) await confirm(operations, at, of);
      return at;
    },
    onChange: (listener) => void listeners.push(listener),
    async run(signal) {
      while (!signal.aborted) {
        try {
          store ??= await options.openStore();
          await attend(store, signal);
        } catch (thrown) {
          if (signal.aborted) break;
          const { message } = FairleadError.from(thrown);
          if (problem !== message)
            logger.warn("what is known of the fleet is not up to date", { reason: message });
          problem = message;
          reports.giveUp();
          tell();
          await clock.sleep(RETRY_MS, signal).catch(() => undefined);
        }
      }
      const isThere = problem === undefined && lease !== "";
      problem = "this node ends";
      reports.giveUp();
      tell();
      if (isThere && store !== undefined)
        await options.onLeave?.(store).catch((thrown: unknown) =>
          logger.warn("what this node has said does not outlast it", {
            reason: FairleadError.from(thrown).message,
          }),
        );
      if (lease !== "") await store?.revokeLease(lease).catch(() => undefined);
      await store?.[Symbol.asyncDispose]();
    },
  };
}
