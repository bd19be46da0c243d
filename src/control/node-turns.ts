// SPDX-License-Identifier: Apache-2.0
// Notes what becomes of the other nodes of a fleet, each turn once: who is new, went away, came back, left or was removed.
import type { NodeFarewell, NodeState, NodeView } from "@fairlead/protocol/node.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { PlannedAction } from "#model/action.ts";
import type { DecisionLog } from "./decision-log.ts";
import { describeArrival, describeFarewell, describeTurn } from "./describe-node-turn.ts";

export interface NodeTurnsOptions {
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface NodeTurns {
  /** Looks whether somebody's state has turned; true when it has. */
  settle(views: readonly NodeView[]): boolean;
  /** Those that have not joined yet. */
  readonly newcomers: ReadonlySet<string>;
  /** Looks whether one of them has. */
  greet(view: NodeView): void;
  /** A node that has not been on the roll before: it has joined once it is heard. */
  expect(id: string): void;
  /** It stands on the roll no more. */
  forget(id: string): void;
  /** Somebody's farewell, other than one that this node wrote itself. */
  take(farewell: NodeFarewell): void;
}

/** Makes it with nobody known. */
export function createNodeTurns({ decisions, clock, logger }: NodeTurnsOptions): NodeTurns {
  const states = new Map<string, NodeState>();
  /** Who was noted down as away, until it is back: what is over in a moment is no decision. */
  const away = new Map<string, NodeState>();
  const newcomers = new Set<string>();

  async function write(action: PlannedAction, result: string): Promise<void> {
    const decision = await decisions.begin(action, { scope: "", actor: "automatic" });
    await decisions.finish(decision, { outcome: "observed", result });
  }

  function record(action: PlannedAction, result: string): void {
    write(action, result).catch((thrown: unknown) =>
      logger.error("what became of a node could not be recorded", {
        reason: FairleadError.from(thrown).message,
      }),
    );
  }

  function noteTurn(view: NodeView, was: NodeState): void {
    const since = away.get(view.id);
    if (view.state === "alive") away.delete(view.id);
    else if (view.state !== "suspect") away.set(view.id, view.state);
    const isTurn = view.state === "alive" ? since !== undefined : since !== away.get(view.id);
    if (isTurn) record(describeTurn(view, since ?? was, clock.nowMs()), `shown as ${view.state}`);
  }

  function noteArrival(view: NodeView): void {
    // It counts as alive before anybody has heard it; and one that only tries whether it can join has no lease.
    if (view.rttMs === undefined || view.lease !== true || !newcomers.delete(view.id)) return;
    record(describeArrival(view, clock.nowMs()), "it is asked from now on whether it lives");
  }

  return {
    newcomers,
    greet: noteArrival,
    settle(views) {
      let turned = false;
      for (const view of views) {
        const was = states.get(view.id);
        if (was === view.state) continue;
        states.set(view.id, view.state);
        turned = true;
        if (was === undefined || view.self) continue;
        logger.info("a node of the fleet", { name: view.name, was, state: view.state });
        noteTurn(view, was);
      }
      return turned;
    },
    expect: (id) => void newcomers.add(id),
    forget(id) {
      states.delete(id);
      away.delete(id);
      newcomers.delete(id);
    },
    take(farewell) {
      logger.info("a node of the fleet", { name: farewell.name, state: farewell.how });
      record(describeFarewell(farewell, clock.nowMs()), "it is asked no more");
    },
  };
}
