// SPDX-License-Identifier: Apache-2.0
// Who leads a fleet: whose key `leader` stands in the store, under its lease, or who takes it from one that the roll counts as
// gone, which is sooner than its lease ends; but not twice in a moment, as two would that reach the store and not each
// other. The revision that wrote the key is the
// fencing token: each write of a leader holds only while the key has that revision, so one that was paused over its
// lease, or that another has followed, writes nothing.
import { Leadership as LeadershipSchema } from "@fairlead/protocol/assignment.ts";
import { awaitAbort } from "#base/await-abort.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { readShared } from "#control/read-shared.ts";
import type { Roll } from "#control/roll.ts";
import type { Entry, StoreCondition, StoreOperation } from "#store/store.ts";
import type { FleetBoard } from "./fleet-board.ts";

const LEADER = "leader";
/** So long one that took the lead from another keeps it before it is taken from it. */
const TAKE_AFTER_MS = 10_000;

export interface LeadershipOptions {
  readonly board: FleetBoard;
  /** Id of this node. */
  readonly self: string;
  readonly roll: Pick<Roll, "list" | "onChange" | "onLook">;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Leadership {
  /** Id of the node that leads, as far as this one knows. */
  readonly leader: string | undefined;
  /** This node's fencing token; undefined while it does not lead, or cannot know. */
  readonly fence: number | undefined;
  /**
   * Writes what was decided under that fence. False when this node does not lead under it any more or a condition does not
   * hold: then nothing was written.
   */
  write(
    fence: number,
    operations: readonly StoreOperation[],
    conditions?: readonly StoreCondition[],
  ): Promise<boolean>;
  /** Stands for election whenever nobody leads, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** Makes the campaign of one node. */
export function createLeadership(options: LeadershipOptions): Leadership {
  const { board, self, roll, clock, logger } = options;
  let won: number | undefined;
  let standing = false;
  /** Nobody knows what became of it when it last stood. */
  let unheard = false;
  /** The lead is to be taken as soon as it has stood long enough. */
  let waiting = false;
  let read: {
    readonly entry?: Entry | undefined;
    readonly leader?: string | undefined;
    /** When it was seen to have followed another that had not ended. */
    readonly tookMs: number;
  } = { tookMs: -Infinity };

  function readLeader(): string | undefined {
    const entry = board.get(LEADER);
    if (entry !== read.entry) {
      const leader = readShared(LeadershipSchema, entry?.value)?.node;
      const before = read.entry?.revision;
      const hasTaken = before !== undefined && entry !== undefined && before !== entry.revision;
      read = { entry, leader, tookMs: hasTaken ? clock.monotonicMs() : read.tookMs };
    }
    return read.leader;
  }

  function readFence(): number | undefined {
    if (won === undefined || board.lease === undefined) return undefined;
    return board.get(LEADER)?.revision === won ? won : undefined;
  }

  /** What it still writes has no effect once the key is another's. */
  function isAway(leader: string | undefined): boolean {
    const state = roll.list().find(({ id }) => id === leader)?.state;
    return state === "gone" || state === "left";
  }

  /** Whether the lead may be taken from one that is away. */
  function isTakeable(leader: string | undefined): boolean {
    if (!isAway(leader)) return false;
    waiting = clock.monotonicMs() - read.tookMs < TAKE_AFTER_MS;
    return !waiting;
  }

  /** Nobody may lead, or one that is gone, or this node in a life that has ended: what that one has still on its way has no effect then. */
  async function stand(lease: string, revision: number): Promise<void> {
    const value = { node: self };
    const put = { kind: "put" as const, key: LEADER, value, lease };
    const at = await board.write([put], [{ key: LEADER, revision }]);
    if (at === undefined) return;
    won = at;
    logger.info("leads the fleet", { fence: at });
  }

  function campaign(signal: AbortSignal): void {
    const { lease } = board;
    const leader = readLeader();
    if (standing || signal.aborted || lease === undefined) return;
    const revision = board.get(LEADER)?.revision ?? 0;
    waiting = false;
    const isFree = revision === 0 || (leader === self ? revision !== won : isTakeable(leader));
    if (!isFree) return;
    standing = true;
    unheard = false;
    stand(lease, revision)
      .catch((thrown: unknown) => {
        unheard = true;
        logger.warn("could not stand for leader", { reason: FairleadError.from(thrown).message });
      })
      .finally(() => {
        standing = false;
        const now = board.get(LEADER)?.revision ?? 0;
        // It was elected and did not hear of it, or nobody leads any more: the picture has it already, so nothing else
        // would make it look again.
        if (now !== revision && now !== won) campaign(signal);
      });
  }

  return {
    get leader() {
      return readLeader();
    },
    get fence() {
      return readFence();
    },
    async write(fence, operations, conditions = []) {
      // It may have lost the lead and won it again since, also in another store.
      if (readFence() !== fence) return false;
      const stillLeads = { key: LEADER, revision: fence };
      return (await board.write(operations, [stillLeads, ...conditions])) !== undefined;
    },
    async run(signal) {
      board.onChange((keys) => {
        if (keys.length === 0 || keys.includes(LEADER)) campaign(signal);
      });
      roll.onChange(() => campaign(signal));
      const leave = roll.onLook(() => {
        if (unheard || waiting) campaign(signal);
      });
      campaign(signal);
      await awaitAbort(signal);
      leave();
    },
  };
}
