// SPDX-License-Identifier: Apache-2.0
// All by which the nodes of a fleet run services together: one of them leads and places, each follows and reports.
import type { NodeRecord } from "@fairlead/protocol/node.ts";
import type { ScopeView } from "@fairlead/protocol/views.ts";
import { awaitAbort } from "#base/await-abort.ts";
import type { Clock, Random } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { FleetPicture } from "#brain/fleet/picture.ts";
import type { Fence } from "#brain/pass.ts";
import type { AddressShelf } from "#control/addresses/address-shelf.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import type { Fleet } from "#control/fleet.ts";
import { splitAtSlash } from "#control/fleet/board-index.ts";
import { createFencing } from "#control/fleet/fencing.ts";
import { createFleetBoard } from "#control/fleet/fleet-board.ts";
import { createFleetDesk, type FleetDesk } from "#control/fleet/fleet-desk.ts";
import { createFollowing } from "#control/fleet/following.ts";
import { createLeadership } from "#control/fleet/leadership.ts";
import { createParting } from "#control/fleet/parting.ts";
import { createPlacing } from "#control/fleet/placing.ts";
import { createPictureReader } from "#control/fleet/read-picture.ts";
import { createReporting } from "#control/fleet/reporting.ts";
import type { IdentityKeeper } from "#control/identity/keep-identity.ts";
import type { Intake } from "#control/intake.ts";
import type { Paths } from "#control/paths.ts";
import type { Roll } from "#control/roll.ts";
import type { ScopeLoop } from "#control/scope-loop.ts";
import { hasVolumes } from "#control/scope-volumes.ts";
import type { Supervisor } from "#control/supervisor.ts";
import type { Intent } from "#model/intent.ts";
import type { Store } from "#store/store.ts";

export interface PlacingParts {
  readonly fleet: Fleet;
  readonly self: Pick<NodeRecord, "id" | "cpuCount" | "memoryBytes" | "devices">;
  readonly roll: Roll;
  /** The node's own. */
  readonly store: Store;
  /** For how long the host has been up, milliseconds. */
  readonly hostUpMs: () => number;
  readonly decisions: DecisionLog;
  readonly board: FactsBoard;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Keys that say something of a scope. */
const TURNS = "turns/";
const SCOPE_KEY = /^(?:intent|assignments|reports\/[^/]+)\/(.+)$/;

/** What follows needs the supervisor, which needs the desk: so it is given later. */
export interface LocalParts {
  readonly supervisor: Supervisor;
  readonly intake: Intake;
  readonly viewLocal: (scope: string) => ScopeView | undefined;
  /** Tells who watches how a scope stands. */
  readonly publishSoon: (scope: string) => void;
}

type Loop = { run(signal: AbortSignal): Promise<void> };

export interface FleetPlacing {
  /** Where addresses of services stand. */
  readonly shelf: AddressShelf;
  readonly desk: FleetDesk;
  /** The fleet by what is wanted and assigned; of what nodes report as much as is known. */
  picture(): FleetPicture;
  /** The fleet as placing looks at it. */
  readPicture(): Promise<FleetPicture>;
  /** Whether singletons may run here of what this node is to have of a scope. */
  fence(intent: Intent): Fence;
  /** Why the engine of a node does not answer; undefined while it does. */
  ailment(node: string): string | undefined;
  /** Id of the node that leads. */
  leader(): string | undefined;
  /** The loops, to be run. */
  attend(local: LocalParts): readonly Loop[];
  /** To be called after each pass of a scope's loop, and when something of it stands otherwise. */
  notePass(scope: string): void;
}

/** What others than the roll know of a node. */
export interface NodeKnowers {
  readonly placing: FleetPlacing | undefined;
  readonly identity: Pick<IdentityKeeper, "endOf"> | undefined;
  readonly paths: Pick<Paths, "find">;
}

/**
 * The roll as lists show it: with who leads, whose engine does not answer, until when each has a certificate, and how large
 * packets may be on the way there.
 */
export function withKnown(roll: Roll, { placing, identity, paths }: NodeKnowers): Roll {
  if (placing === undefined) return roll;
  return {
    list: () =>
      roll.list().map((view) => {
        const ailment = placing.ailment(view.id);
        const isAiling = view.state === "alive" && ailment !== undefined;
        const reason = isAiling ? `its engine does not answer: ${ailment}` : view.reason;
        const endsMs = identity?.endOf(view.id);
        const certificate = endsMs === undefined ? {} : { certificateEndsMs: endsMs };
        const measured = paths.find(view.id);
        const path =
          measured === undefined ? {} : { mtu: measured.mtu, blackHole: measured.blackHole };
        return { ...view, reason, leader: view.id === placing.leader(), ...certificate, ...path };
      }),
    get problem() {
      return roll.problem;
    },
    leave: () => roll.leave(),
    get hasLeft() {
      return roll.hasLeft;
    },
    onChange: (listener) => roll.onChange(listener),
    onLook: (listener) => roll.onLook(listener),
    probe: (id, sizeBytes) => roll.probe(id, sizeBytes),
    run: (signal) => roll.run(signal),
  };
}

/** Opens it; nothing happens before the loops run. */
export function openPlacing(parts: PlacingParts): FleetPlacing {
  const { fleet, self, roll, decisions, clock, random, logger } = parts;
  const openStore = () => fleet.openStore();
  const parting = createParting({ self: self.id, own: parts.store, hostUpMs: parts.hostUpMs });
  const onLeave = (store: Store) => parting.leave(store);
  const board = createFleetBoard({ onLeave, openStore, clock, random, logger });
  const pictures = createPictureReader({ board, roll, clock });
  const leadership = createLeadership({ board, self: self.id, roll, clock, logger });
  const desk = createFleetDesk({ self: self.id, board, roll, pictures, clock });
  const wakers: ((scope: string) => void)[] = [];
  let settledUnder = (): string | undefined => undefined;
  const fence = createFencing({
    self: self.id,
    board,
    pictures,
    settledUnder: () => settledUnder(),
    parting,
    clock,
  });

  /** A lease ends without a word: whoever has singletons looks again. */
  async function watchFence(supervisor: Supervisor, signal: AbortSignal): Promise<void> {
    await parting.recall().catch((thrown: unknown) =>
      logger.warn("how the last life of this node ended cannot be read", {
        reason: FairleadError.from(thrown).message,
      }),
    );
    const was = new WeakMap<ScopeLoop, Fence>();
    const leave = roll.onLook(() => {
      for (const loop of supervisor.loops.values()) {
        const { intent } = loop.desired;
        if (!intent.services.some(({ singleton }) => singleton === true)) continue;
        const now = fence(intent);
        if (now !== was.get(loop)) loop.wake();
        was.set(loop, now);
      }
    });
    await awaitAbort(signal);
    leave();
  }

  return {
    shelf: board,
    desk,
    picture: () => pictures.read(),
    async readPicture() {
      await desk.whole();
      return pictures.read();
    },
    fence,
    ailment: (node) => pictures.ailment(node),
    leader: () => leadership.leader,
    notePass(scope) {
      for (const wake of wakers) wake(scope);
    },
    attend({ supervisor, intake, viewLocal, publishSoon }) {
      const common = { board, pictures, supervisor, clock, logger };
      const reporting = createReporting({
        ...common,
        self,
        facts: parts.board,
        view: viewLocal,
        takenAt: (scope) => following.takenAt(scope),
        onPresent: () => following.wake(),
      });
      const following = createFollowing({
        ...common,
        self: self.id,
        name: fleet.name,
        intake,
        hasVolumes: (scope) => hasVolumes(parts.board, scope),
        hasLeft: () => roll.hasLeft,
        presentUnder: () => reporting.lease,
        onLook: () => reporting.wake(),
      });
      settledUnder = () => following.settledUnder;
      let { ready } = parts.board;
      parts.board.onChange(() => {
        if (ready === parts.board.ready) return;
        ready = parts.board.ready;
        following.wake();
      });
      wakers.push(
        (scope) => following.wake(scope),
        (scope) => reporting.wake(scope),
      );
      board.onChange((keys) => {
        const named = new Set(keys.flatMap((key) => SCOPE_KEY.exec(key)?.[1] ?? []));
        for (const scope of named) publishSoon(scope);
        for (const key of keys)
          if (key.startsWith(TURNS)) named.add(splitAtSlash(key.slice(TURNS.length))[0]);
        // What waits may wait for another node.
        for (const [scope, loop] of supervisor.loops)
          if (loop.last.waiting.length > 0 && (keys.length === 0 || named.has(scope))) loop.wake();
      });
      const placing = createPlacing({
        board,
        roll,
        pictures,
        leadership,
        decisions,
        clock,
        logger,
      });
      const watching = { run: (signal: AbortSignal) => watchFence(supervisor, signal) };
      return [board, leadership, placing, following, reporting, watching];
    },
  };
}
