// SPDX-License-Identifier: Apache-2.0
import type { DiscoveryWay, NodeStatus } from "@fairlead/protocol/views.ts";
import type { Clock, Random } from "#base/clock.ts";
import type { Engine, EngineInfo } from "#engine/engine.ts";
import type { Fabric } from "#fabric/fabric.ts";
import type { Store } from "#store/store.ts";
import type { AlertBoard } from "./alert-board.ts";
import type { DecisionLog } from "./decision-log.ts";
import type { EventFeed } from "./event-feed.ts";
import type { FactsBoard } from "./facts-board.ts";
import type { FleetDesk } from "./fleet/fleet-desk.ts";
import type { Places } from "./identity/places.ts";
import type { Revocations } from "./identity/revocations.ts";
import type { Intake } from "./intake.ts";
import type { MemoryBoard } from "./memory-board.ts";
import type { Policies } from "./policies/policies.ts";
import type { ScopeViews } from "./scope-views.ts";
import type { Supervisor } from "./supervisor.ts";

/** What the operations of a node work with. */
export interface OperationsOptions {
  readonly engine: Engine;
  readonly store: Store;
  readonly board: FactsBoard;
  readonly supervisor: Supervisor;
  readonly memory: MemoryBoard;
  readonly decisions: DecisionLog;
  readonly alerts: AlertBoard;
  readonly feed: EventFeed;
  readonly views: ScopeViews;
  readonly intake: Intake;
  /** Who is seen talking to whom. */
  readonly policies: Pick<Policies, "flows" | "problem">;
  /** Undefined for a node by itself. */
  readonly fleet: FleetDesk | undefined;
  /** Certificates of the containers of this node; undefined where it gives none. */
  readonly places: Pick<Places, "list" | "revoke"> | undefined;
  /** What is believed no more, of all nodes. */
  readonly revocations: Pick<Revocations, "list">;
  /** What is kept for agents. */
  readonly fabric: Pick<Fabric, "queues">;
  readonly clock: Clock;
  readonly random: Random;
  readonly identity: {
    readonly version: string;
    readonly node: string;
    readonly pid: number;
    readonly startedAtMs: number;
    readonly places: NonNullable<NodeStatus["places"]>;
  };
  /** What the engine said of itself last. */
  readonly engineInfo: () => EngineInfo | undefined;
  readonly storeSizeBytes: () => number;
  /** How agents of other nodes are learned of. */
  readonly discovery: () => readonly DiscoveryWay[];
  /** Address of the page, when it is served. */
  readonly page: () => string | undefined;
}
