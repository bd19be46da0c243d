// SPDX-License-Identifier: Apache-2.0
// Who leads a fleet: whose key `leader` stands in the store, under its lease, or who takes it from one that the roll counts as
// gone, which is sooner than its lease ends. The revision that wrote the key is the
// fencing token: each write of a leader holds only while the key has that revision, so one that was paused over its
// lease, or that another has followed, writes nothing.
import { Leadership as LeadershipSchema } from "@fairlead/protocol/assignment.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { Roll } from "#control/roll.ts";
import type { Entry, StoreCondition, StoreOperation } from "#store/store.ts";
import type { FleetBoard } from "./fleet-board.ts";

const LEADER = "leader";

export interface LeadershipOptions {
  readonly board: FleetBoard;
  /** Id of this node. */
  readonly self: string;
  readonly roll: Pick<Roll, "list" | "onChange" | "onLook">;
  readonly logger: Logger;
}

export interface Leadership {
  /** Id of the node that leads, as far as this one knows. */
  readonly leader: string | undefined;
  /** This node's fencing token; undefined while it does not lead, or cannot know. */
  readonly fence: number | undefined;
  /** Writes as the leader; false when it is none any more or a condition does not hold, and nothing was written. */
  write(
    operations: readonly StoreOperation[],
    conditions?: readonly StoreCondition[],
  ): Promise<boolean>;
  /** Stands for election whenever nobody leads, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** Makes the campaign of one node. */
export function createLeadership({ board, self, roll, logger }: LeadershipOptions): Leadership {
  let won: number | undefined;
  let standing = false;
  /** Nobody knows what became of it when it last stood. */
  let unheard = false;
  let read: { readonly entry?: Entry | undefined; readonly leader?: string | undefined } = {};

  function readLeader(): string | undefined {
    const entry = board.get(LEADER);
    if (entry !== read.entry)
      read = { entry, leader: LeadershipSchema.safeParse(entry?.value).data?.node };
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
    if (standing || signal.aborted || lease === undefined) return;
    const revision = board.get(LEADER)?.revision ?? 0;
    const leader = readLeader();
    const isFree = revision === 0 || (leader === self ? revision !== won : isAway(leader));
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
    async write(operations, conditions = []) {
      const fence = readFence();
      if (fence === undefined) return false;
      const stillLeads = { key: LEADER, revision: fence };
      return (await board.write(operations, [stillLeads, ...conditions])) !== undefined;
    },
    async run(signal) {
      board.onChange(() => campaign(signal));
      roll.onChange(() => campaign(signal));
      const leave = roll.onLook(() => {
        if (unheard) campaign(signal);
      });
      campaign(signal);
      if (!signal.aborted)
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      leave();
    },
  };
}
