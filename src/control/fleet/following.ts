// SPDX-License-Identifier: Apache-2.0
// The loop of each node: what it is assigned goes into its own store, from where its scopes' loops take it. So a node that
// is cut off goes on with that copy, also after a restart.
import type { FleetIntent } from "@fairlead/protocol/assignment.ts";
import type { Clock } from "#base/clock.ts";
import type { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { widenIntent } from "#brain/fleet/narrow-intent.ts";
import { answerDoorbell, createDoorbell } from "#control/doorbell.ts";
import { controlErrors } from "#control/errors.ts";
import type { Intake } from "#control/intake.ts";
import type { Desired } from "#control/scope-loop.ts";
import type { Supervisor } from "#control/supervisor.ts";
import { chooseDesired } from "./choose-desired.ts";
import { touches, type FleetBoard } from "./fleet-board.ts";
import type { PictureReader } from "./read-picture.ts";

/** Rooms of the fleet's store that say what a node has to take over. */
const ROOMS: ReadonlySet<string> = new Set(["identity", "intent", "assignments", "owed"]);
/** Which of their keys say something of a scope: what others owe is told under their ids. */
const SCOPE_KEY = /^(?:intent|assignments|owed\/[^/]+)\/(.+)$/;

export interface FollowingOptions {
  readonly self: string;
  /** Name of the fleet. */
  readonly name: string;
  readonly board: FleetBoard;
  readonly pictures: Pick<PictureReader, "scope" | "names" | "isUnread">;
  readonly supervisor: Pick<Supervisor, "loops" | "loop">;
  readonly intake: Pick<Intake, "take" | "put">;
  /** Whether this node has volumes of a scope; undefined until its engine has said it. */
  readonly hasVolumes: (scope: string) => boolean | undefined;
  /** Whether this node has left: what others run now instead of it goes on here as well. */
  readonly hasLeft: () => boolean;
  /** The lease under which others know that this node is there. */
  readonly presentUnder: () => string | undefined;
  /** Called after each look. */
  readonly onLook: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Following {
  /** The lease under which others knew this node to be there when there was last nothing left to take over. */
  readonly settledUnder: string | undefined;
  /** Revision of the assignment of a scope that there is nothing left to take over of. */
  takenAt(scope: string): number | undefined;
  /** Looks again soon: at a scope, or at all. */
  wake(scope?: string): void;
  run(signal: AbortSignal): Promise<void>;
}

interface Seen {
  readonly look: readonly unknown[];
  /** Whether there was nothing to take over. */
  readonly settled: boolean;
  /** Of the assignment that was taken over. */
  readonly revision: number | undefined;
}

/** Makes the loop. */
export function createFollowing(options: FollowingOptions): Following {
  const { self, name, board, pictures, supervisor, intake, clock, logger } = options;
  /** What was looked at last, by scope: while it is the same there is nothing to choose. */
  const seen = new Map<string, Seen>();
  const bell = createDoorbell(clock);
  /** Scopes of which there was something to take over. */
  const unsettled = new Set<string>();
  /** Scopes of which something is different; undefined: it may be of any. */
  let due: Set<string> | undefined;
  let settledUnder: string | undefined;

  /** Says again what a store that was lost does not know any more. */
  async function restore({ intent, actor }: Desired): Promise<void> {
    const key = `intent/${intent.scope}`;
    const value: FleetIntent = { intent: widenIntent(intent), origin: self, actor, restored: true };
    await board.write([{ kind: "put", key, value }], [{ key, revision: 0 }]);
    logger.warn("the fleet's store was lost; what this node has of it is said again", {
      scope: intent.scope,
    });
  }

  /** True when there was nothing to take over, and will be nothing before something changes. */
  async function settle(scope: string, identity: string): Promise<boolean> {
    const local = supervisor.loop(scope)?.desired;
    const assigned = board.get(`assignments/${scope}`);
    const owedKey = `owed/${self}/${scope}`;
    const owed = board.get(owedKey);
    const hasVolumes = options.hasVolumes(scope);
    const look = [identity, local, owed, hasVolumes, board.get(`intent/${scope}`), assigned];
    const before = seen.get(scope);
    if (before?.look.every((one, index) => one === look[index]) === true) return before.settled;
    const known = pictures.scope(scope);
    const choice = chooseDesired(local, {
      scope,
      self,
      name,
      identity,
      wanted: known?.wanted,
      isUnread: pictures.isUnread(scope),
      generation: known?.generation ?? 0,
      assignment: known?.assignment,
      owesVolumes: owed !== undefined,
      hasVolumes,
    });
    // Done, or nothing to do here, or wanted again.
    const isDone = local === undefined && hasVolumes === false;
    if (owed !== undefined && (isDone || known !== undefined))
      await board.write([{ kind: "delete", key: owedKey }]);
    if (choice.kind === "restore" && local !== undefined) await restore(local);
    if (choice.kind === "put") {
      const { desired, isNews } = choice;
      if (isNews) await intake.take(desired, known?.wanted.recreateAtMs);
      else await intake.put(desired);
    }
    if (choice.kind === "unread")
      logger.error("what the fleet wants of a scope cannot be read; it stays as it is here", {
        scope,
        id: controlErrors["intent-unread"].id,
        remedy: controlErrors["intent-unread"].remedy,
      });
    const settled = choice.kind === "keep" || choice.kind === "unread";
    seen.set(scope, {
      look,
      settled,
      revision: choice.kind === "keep" ? assigned?.revision : undefined,
    });
    return settled;
  }

  /** Scopes of which it has to remove volumes still. */
  function listOwed(): readonly string[] {
    const prefix = `${self}/`;
    const keys = [...board.list("owed").keys()];
    return keys.flatMap((key) => (key.startsWith(prefix) ? [key.slice(prefix.length)] : []));
  }

  /** Of all scopes, where anything may be different, else of those that are due and those that were not done with. */
  function listDue(): ReadonlySet<string> {
    const scopes = due ?? new Set([...pictures.names(), ...supervisor.loops.keys()]);
    if (due === undefined) {
      for (const scope of seen.keys()) if (!scopes.has(scope)) seen.delete(scope);
      unsettled.clear();
    }
    due = new Set();
    return new Set([...scopes, ...unsettled, ...listOwed()]);
  }

  async function look(): Promise<void> {
    const { identity } = board;
    if (board.problem !== undefined || identity === undefined) {
      due = undefined;
      return;
    }
    const under = options.presentUnder();
    for (const scope of listDue()) {
      if (options.hasLeft()) return;
      unsettled.add(scope);
      if (await settle(scope, identity)) unsettled.delete(scope);
    }
    if (unsettled.size === 0) settledUnder = under;
    options.onLook();
  }

  function wake(scope?: string): void {
    if (scope === undefined) due = undefined;
    else due?.add(scope);
    bell.ring();
  }

  /** A change of the fleet's store that named these keys. */
  function note(keys: readonly string[]): void {
    if (!touches(keys, ROOMS)) return;
    if (keys.length === 0 || keys.includes("identity")) due = undefined;
    for (const key of due === undefined ? [] : keys) {
      const scope = SCOPE_KEY.exec(key)?.[1];
      if (scope !== undefined) due?.add(scope);
    }
    bell.ring();
  }

  return {
    get settledUnder() {
      return settledUnder;
    },
    takenAt(scope) {
      const last = seen.get(scope);
      return last?.settled === true ? last.revision : undefined;
    },
    wake,
    async run(signal) {
      board.onChange(note);
      const onFailed = ({ message: reason }: FairleadError): void => {
        due = undefined;
        logger.warn("could not take over what this node is assigned", { reason });
      };
      await answerDoorbell(bell, { look, onFailed }, signal);
    },
  };
}
