// SPDX-License-Identifier: Apache-2.0
// Keeps calls away from agents whose container is ill by the engine's health check, or about to be stopped: an agent is known
// by its address.
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import { awaitAbort } from "#base/await-abort.ts";
import type { Fabric } from "#fabric/fabric.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { FactsBoard } from "./facts-board.ts";
import type { Farewells } from "./farewells.ts";
import { gatherCalls } from "./gather-calls.ts";

export interface GatingOptions {
  readonly board: FactsBoard;
  readonly farewells: Pick<Farewells, "has" | "onChange" | "heed">;
  readonly fabric: Pick<Fabric, "registry" | "list" | "setSick">;
}

export interface Gating {
  run(signal: AbortSignal): Promise<void>;
}

const isIll = ({ state, health }: InstanceFact): boolean =>
  state === "running" && health === "unhealthy";

/** Ids of agents of which an address is that of one of these instances. */
function findAgents(
  instances: readonly InstanceFact[],
  agents: readonly AgentRecord[],
): ReadonlySet<string> {
  const meant = new Set(
    instances.flatMap(({ scope, addresses }) =>
      Object.values(addresses).map((address) => `${scope} ${address}`),
    ),
  );
  const hostOf = (address: string): string =>
    address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
  return new Set(
    agents
      .filter(({ scope, addresses }) =>
        addresses.some((one) => meant.has(`${scope} ${hostOf(one)}`)),
      )
      .map(({ id }) => id),
  );
}

/** Makes the loop. */
export function createGating({ board, fabric, farewells }: GatingOptions): Gating {
  function settle(): void {
    if (!board.ready) return;
    const { instances } = board.read();
    const agents = fabric.list();
    const sick = findAgents(instances.filter(isIll), agents);
    const leaving = instances.filter(({ id }) => farewells.has(id));
    fabric.setSick(sick, findAgents(leaving, agents));
  }

  const settleSoon = gatherCalls(settle);

  return {
    async run(signal) {
      farewells.heed(settleSoon);
      const look = (): void => void settleSoon();
      const stops = [
        board.onChange(look),
        farewells.onChange(look),
        fabric.registry.watch(({ type }) => {
          if (type === "up") look();
        }),
      ];
      look();
      await awaitAbort(signal);
      for (const stop of stops) stop();
    },
  };
}
