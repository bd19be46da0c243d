// SPDX-License-Identifier: Apache-2.0
// A fabric in one process, for tests of agents: no node, no network, the same behaviour.
import { setTimeout } from "node:timers/promises";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { createHub } from "@fairlead/fabric/hub.ts";
import { createLogMethods } from "@fairlead/fabric/log-service.ts";
import type { LogClock } from "@fairlead/fabric/log/message-log.ts";
import { openLog } from "@fairlead/fabric/log/open.ts";
import { createMemoryTransports } from "@fairlead/fabric/memory-transport.ts";
import { createRegistry } from "@fairlead/fabric/registry.ts";
import { createRouteBoard, type RouteBoard } from "@fairlead/fabric/route-board.ts";
import type { Transport } from "@fairlead/fabric/transport.ts";
import type { AgentOptions } from "./agent-options.ts";
import { Agent } from "./agent.ts";
import type { Environment } from "./environment.ts";

export interface TestFabric extends AsyncDisposable {
  /** Joins an agent; `direct: false` makes its peers reach it through the node. */
  join(options: AgentOptions & { readonly direct?: boolean }): Promise<Agent>;
  /** Breaks every link to the node, as a restart of it does; the agents join again. */
  cut(): void;
  /** A bare way to the node, or to an agent at an address of its record: for tests that speak the protocol themselves. */
  dial(address?: string): Promise<Transport>;
  /** Where members of topologies may send. */
  readonly routes: RouteBoard;
}

const CLOCK: LogClock = {
  nowMs: Date.now,
  monotonicMs: () => performance.now(),
  sleep: (delayMs, signal) => setTimeout(delayMs, undefined, { signal }),
};

/** Makes a node with a log and a network in memory. Its agents leave when it is disposed. */
export function createTestFabric(): TestFabric {
  const log = openLog({ kind: "memory" }, { clock: CLOCK });
  const routes = createRouteBoard();
  const hub = createHub({
    registry: createRegistry(),
    routes,
    node: { id: "test-node", name: "test" },
    nowMs: Date.now,
    keyOf: (scope) => `key of ${scope}`,
    pick: (candidates) => candidates[Math.floor(Math.random() * candidates.length)],
    methods: createLogMethods({
      log,
      nowMs: Date.now,
      convert: (thrown) => FabricError.from(thrown),
    }),
  });
  const listeners = new Map<string, (transport: Transport) => void>();
  const agents = new Set<Agent>();
  let next = 1;
  async function dial(address?: string): Promise<Transport> {
    const accept = address === undefined ? hub.accept : listeners.get(address);
    if (accept === undefined) throw new FabricError("unavailable", `nobody listens at ${address}`);
    const [near, far] = createMemoryTransports();
    accept(far);
    return near;
  }
  function createEnvironment(direct: boolean): Environment {
    const base = {
      dialNode: () => dial(),
      dialPeer: dial,
      nowMs: Date.now,
      sleep: CLOCK.sleep,
      random: Math.random,
    };
    if (!direct) return base;
    return {
      ...base,
      listen(onTransport) {
        const address = `memory:${next++}`;
        listeners.set(address, onTransport);
        return Promise.resolve({
          addresses: [address],
          [Symbol.asyncDispose]() {
            listeners.delete(address);
            return Promise.resolve();
          },
        });
      },
    };
  }
  return {
    dial,
    routes,
    async join({ direct = true, ...options }) {
      const agent = await Agent.start(createEnvironment(direct), options);
      agents.add(agent);
      return agent;
    },
    cut: () => hub.close(),
    async [Symbol.asyncDispose]() {
      for (const agent of agents) await agent[Symbol.asyncDispose]();
      hub.close();
      await log[Symbol.asyncDispose]();
    },
  };
}
