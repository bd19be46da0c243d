// SPDX-License-Identifier: Apache-2.0
// The face of the fabric room: agents of this node, and where they join.
import type { WorkloadSource } from "@fairlead/fabric/grpc/workload-api.ts";
import type { LogStats } from "@fairlead/fabric/log/message-log.ts";
import type { NodeLinks } from "@fairlead/fabric/node-links.ts";
import type { AgentFilter, Registry } from "@fairlead/fabric/registry.ts";
import type { RouteBoard } from "@fairlead/fabric/route-board.ts";
import type { TrafficLedger } from "@fairlead/fabric/traffic-ledger.ts";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import type {
  ActOnContainerRequest,
  ContainerView,
  ListContainersRequest,
} from "@fairlead/protocol/fabric.ts";

/** A socket that one container alone has, so that who dials it is known. */
export interface FabricPlace {
  /** Path of the socket, in a directory that is there. */
  readonly path: string;
  /** Whose container it is: nobody joins there as anybody else. */
  readonly scope: string;
  readonly service: string;
  /** Gives who dials the certificate of the container. */
  readonly identity: WorkloadSource;
}

/** An agent that asks, as its ticket or its place has proven. */
export interface AgentCaller {
  readonly scope: string;
  readonly name: string;
}

/** What agents may ask of the engine. Throws FairleadError. */
export interface AgentActs {
  /** Containers of the caller's scope. */
  list(caller: AgentCaller, request: ListContainersRequest): readonly ContainerView[];
  /** Resolves with the container once it is as asked; rejects with the signal's reason, which takes nothing back. */
  act(
    caller: AgentCaller,
    request: ActOnContainerRequest,
    signal: AbortSignal,
  ): Promise<ContainerView>;
}

export interface Fabric extends AsyncDisposable {
  /** Who joined here. */
  readonly registry: Registry;
  /** Who can be found and called: those that joined other nodes of the fleet too. */
  readonly everyone: Registry;
  /** Links to other nodes; undefined without a fleet. */
  readonly nodes: NodeLinks | undefined;
  /**
   * Signs tickets with the fleet's key, so that agents of one scope know each other on all hosts. Agents that were given a
   * ticket of another key join again.
   */
  setFleetKey(key: Buffer): void;
  /** Lets the agents of a scope, or all, join again: what they are told of each other is another from now on. */
  rejoin(scope: string | undefined): void;
  /** Where the members of topologies may send. */
  readonly routes: RouteBoard;
  /** Who talks to whom, as the node sees it and as agents tell. */
  readonly traffic: TrafficLedger;
  /** Links that agents have open. */
  readonly links: number;
  /** `unix:/…` of the socket for programs on this host, then TCP where that is switched on. */
  readonly addresses: readonly string[];
  /** Who joined here. */
  list(filter?: AgentFilter): readonly AgentRecord[];
  /** Agents that nobody is to call, by id: their containers are ill, or about to be stopped. Replaces the lists before. */
  setSick(sick: ReadonlySet<string>, leaving: ReadonlySet<string>): void;
  /** Certificates that nobody is believed by, where TLS is spoken, by serial: who has dialled with one is cut off. Replaces those before. */
  setRevoked(serials: ReadonlySet<string>): void;
  /** Lets what other nodes have begun here end, and takes nothing more of them: to be called while they still reach this one. */
  partFromNodes(): Promise<void>;
  /** What of the messages that are kept has not been acknowledged. */
  queues(): LogStats;
  /** What proves which scope and service a container is; good for that name only, and set when it is created. */
  grantTicket(scope: string, service: string): string;
  /** Opens a container's own socket, until disposed of. Throws FL0980 when it cannot listen. */
  openPlace(place: FabricPlace): Promise<AsyncDisposable>;
  /** Says who answers agents that ask for containers; until then they are told that nobody does. */
  answerActs(acts: AgentActs): void;
}
