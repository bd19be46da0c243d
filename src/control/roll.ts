// SPDX-License-Identifier: Apache-2.0
// The roll of a fleet: who belongs to it stands in the store, who of them lives is seen by membership. A node without a
// fleet is alone on its roll. While the store does not answer, the last roll that was read holds.
import type { NodeRecord, NodeView } from "@fairlead/protocol/node.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { Membership } from "#membership/membership.ts";
import type { Store } from "#store/store.ts";
import type { DecisionLog } from "./decision-log.ts";
import { controlErrors } from "./errors.ts";
import type { Fleet } from "./fleet.ts";
import { answerKnock } from "./knocks.ts";
import { keepLife, readLastLife, type LifeStore } from "./lives.ts";
import { createNodeTurns } from "./node-turns.ts";
import { enterRoll, LIVE, readFleetKey, ROLL, UNMARKED, type OwnRecord } from "./roll-entries.ts";
import { createRollRecords } from "./roll-records.ts";
import { viewNode, viewSelf } from "./view-node.ts";

export interface RollOptions {
  readonly self: OwnRecord;
  /** Undefined for a node by itself. */
  readonly fleet: Fleet | undefined;
  /** The node's own. */
  readonly store: LifeStore;
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Roll {
  /** This node first, then the others by name. */
  list(): readonly NodeView[];
  /** Why the roll may be old; undefined while the store answers. */
  readonly problem: string | undefined;
  /** Says farewell, and takes part no more; resolves when the others have been told. The entry stays. */
  leave(): Promise<void>;
  /** Whether it was told to leave: what the others do now is nothing to this node. */
  readonly hasLeft: boolean;
  /** Calls `listener` when something may have changed, and at least every 200 ms; returns the function that ends it. */
  onLook(listener: () => void): () => void;
  /** Whether a packet of so many bytes reaches a node and is answered; false while it cannot be asked. */
  probe(id: string, sizeBytes: number): Promise<boolean>;
  /** Called after somebody's state has turned. */
  onChange(listener: () => void): void;
  run(signal: AbortSignal): Promise<void>;
}

/**
 * The second witness: a node that still reaches the store is not gone. So short that it need not be
 * waited for after the silence, also when etcd's leader is lost with the node: the next one begins the time of leases anew.
 */
const LEASE_MS = 2_000;
const RENEWALS_PER_LEASE = 4;
const RETRY_MS = 1_000;
const WATCH_MS = 200;
const LOOKS_PER_SETTLE = 10;
/** Why the other loops of an attempt end: told to nobody, and cheaper than a reason with a stack. */
const ENDED = "the store is attended no more";

/** What calls `act` once when all that runs now is done, however often it is called until then. */
function callOnce(act: () => void): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      act();
    });
  };
}

/** Makes the loop of a roll. */
export function createRoll(options: RollOptions): Roll {
  const { self, fleet, decisions, clock, logger } = options;
  const turns = createNodeTurns({ decisions, clock, logger });
  let own: NodeRecord = { ...self, ...UNMARKED, incarnation: 0 };
  const onOwn = ({ schedulable, draining }: NodeRecord): void => {
    own = { ...own, schedulable, draining };
  };
  const records = createRollRecords({ self: self.id, turns, clock, logger, onOwn });
  let membership: Membership | undefined;
  /** The fleet's key, as base64; undefined before it was read. */
  let key: string | undefined;
  const lookers = new Set<() => void>();
  const leaving = new AbortController();
  const listeners: (() => void)[] = [];
  let kept: Promise<void> = Promise.resolve();
  let problem: string | undefined = fleet === undefined ? undefined : "the store was not asked yet";

  function view(record: NodeRecord, isolated: boolean): NodeView {
    const lease = problem === undefined ? records.isLive(record.id) : undefined;
    return viewNode(record, membership?.find(record.id), { lease, isolated });
  }

  function list(): readonly NodeView[] {
    const isolated = membership?.isolated === true;
    const views = [viewSelf(own)];
    for (const one of records.list()) if (one.id !== own.id) views.push(view(one, isolated));
    return views;
  }

  function greetNewcomers(): void {
    if (turns.newcomers.size === 0) return;
    // Of one that is heard for the first time nothing tells.
    const isolated = membership?.isolated === true;
    for (const id of turns.newcomers) {
      const record = id === own.id ? undefined : records.get(id);
      if (record !== undefined) turns.greet(view(record, isolated));
    }
  }

  function settle(isTurned = true): void {
    if (isTurned && turns.settle(list())) for (const listener of listeners) listener();
    for (const looker of lookers) looker();
  }

  function tellPeers(): void {
    membership?.setPeers(
      records
        .list()
        .map(({ id, incarnation, address, port }) => ({ id, incarnation, address, port })),
    );
  }

  /** Puts this node on the roll, in a new life when it has just started. Throws FL0711 `node-name-taken`. */
  async function register(store: Store, { name }: Fleet): Promise<void> {
    const lived = await readLastLife(options.store);
    const entering = { fleet: name, nowMs: clock.nowMs(), welcome: false, lived };
    own = await enterRoll(store, own, entering);
    if (own.incarnation === lived) return;
    await keepLife(options.store, own.incarnation).catch((thrown: unknown) =>
      logger.warn("this node's life could not be noted", {
        reason: FairleadError.from(thrown).message,
      }),
    );
  }

  async function keepLease(store: Store, signal: AbortSignal): Promise<void> {
    let lease = "";
    while (!signal.aborted) {
      if (lease === "" || !(await store.renewLease(lease, { signal }))) {
        lease = (await store.grantLease(LEASE_MS, { signal })).id;
        const value = own.incarnation;
        await store.transact([{ kind: "put", key: LIVE + own.id, value, lease }], [], { signal });
      }
      await clock.sleep(LEASE_MS / RENEWALS_PER_LEASE, signal).catch(() => undefined);
    }
    await store.revokeLease(lease).catch(() => undefined);
  }

  async function follow(store: Store, one: Fleet, signal: AbortSignal): Promise<void> {
    const snapshot = await store.list(ROLL, { signal });
    records.read(snapshot);
    // A store that lost everything has lost this node too.
    if (records.get(own.id)?.incarnation !== own.incarnation) await register(store, one);
    tellPeers();
    problem = undefined;
    settle();
    for await (const changes of store.watch(ROLL, snapshot.revision, { signal })) {
      let isOther = false;
      for (const change of changes) {
        if (records.take(change)) isOther = true;
        answerKnock(change, one, { self: own.id, logger });
      }
      // Removed by others, or with all else that the store had: either way this node has to ask again.
      if (records.get(own.id) === undefined)
        throw new FairleadError(controlErrors["act-failed"], "this node was taken off the roll");
      if (isOther) tellPeers();
      settle();
    }
  }

  /** Begins to ask the others. A store that was lost is given the key back; where somebody was quicker, that one's counts. */
  async function speak(store: Store, one: Fleet): Promise<void> {
    const secret = await readFleetKey(store, () => key ?? one.makeKey());
    const read = secret.toString("base64");
    if (read === key) return;
    let firstSequence = 0;
    if (membership !== undefined) {
      logger.warn("the fleet has another key", {});
      // Without peers nobody is told farewell.
      membership.setPeers([]);
      await membership[Symbol.asyncDispose]();
      // Who has had the new key all the time knows what this life has said before.
      firstSequence = membership.readCounters()["sent"] ?? 0;
      membership = undefined;
    }
    const { id, incarnation, port } = own;
    membership = await one.startMembership({ id, incarnation, firstSequence, port, secret });
    key = read;
    // Many turn at once when this node or a part of the fleet comes: one look is enough for all of them.
    membership.onChange(callOnce(settle));
    tellPeers();
  }

  async function attend(store: Store, one: Fleet, signal: AbortSignal): Promise<void> {
    await register(store, one);
    await speak(store, one);
    const failing = new AbortController();
    const either = AbortSignal.any([signal, failing.signal]);
    try {
      await Promise.all([keepLease(store, either), follow(store, one, either)]);
    } finally {
      failing.abort(ENDED);
    }
  }

  /** What turns is told of, by membership or the store; so all of a large roll is looked at now and then only. */
  async function look(signal: AbortSignal): Promise<void> {
    for (let times = 0; !signal.aborted; times++) {
      greetNewcomers();
      if (records.dropLate()) tellPeers();
      settle(times % LOOKS_PER_SETTLE === 0);
      await clock.sleep(WATCH_MS, signal).catch(() => undefined);
    }
  }

  async function keep(one: Fleet, signal: AbortSignal): Promise<void> {
    let store: Store | undefined;
    while (!signal.aborted) {
      try {
        store ??= await one.openStore();
        await attend(store, one, signal);
      } catch (thrown) {
        if (signal.aborted) break;
        const { message } = FairleadError.from(thrown);
        if (problem !== message)
          logger.warn("the fleet's roll is not up to date", { reason: message });
        problem = message;
        settle();
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
    await membership?.[Symbol.asyncDispose]();
    await store?.[Symbol.asyncDispose]();
  }

  return {
    list,
    get problem() {
      return problem;
    },
    async leave() {
      leaving.abort();
      await kept;
    },
    get hasLeft() {
      return leaving.signal.aborted;
    },
    onChange: (listener) => void listeners.push(listener),
    onLook(listener) {
      lookers.add(listener);
      return () => void lookers.delete(listener);
    },
    probe: async (id, sizeBytes) => (await membership?.probe(id, sizeBytes)) ?? false,
    async run(signal) {
      if (fleet === undefined) return;
      kept = keep(fleet, AbortSignal.any([signal, leaving.signal]));
      await Promise.all([kept, look(signal)]);
    },
  };
}
