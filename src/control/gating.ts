// SPDX-License-Identifier: Apache-2.0
// Keeps calls away from agents whose container is ill by the engine's health check: an agent is known by its address.
import type { Fabric } from "#fabric/fabric.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import type { FactsBoard } from "./facts-board.ts";

export interface GatingOptions {
  readonly board: FactsBoard;
  readonly fabric: Pick<Fabric, "registry" | "list" | "setSick">;
}

export interface Gating {
  run(signal: AbortSignal): Promise<void>;
}

/** Ids of agents of which an address is that of a container that is ill. */
export function findSick(
  instances: readonly InstanceFact[],
  agents: readonly AgentRecord[],
): ReadonlySet<string> {
  const ill = new Set(
    instances
      .filter(({ state, health }) => state === "running" && health === "unhealthy")
      .flatMap(({ scope, addresses }) =>
        Object.values(addresses).map((address) => `${scope} ${address}`),
      ),
  );
  const hostOf = (address: string): string =>
    address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
  return new Set(
    agents
      .filter(({ scope, addresses }) => addresses.some((one) => ill.has(`${scope} ${hostOf(one)}`)))
      .map(({ id }) => id),
  );
}

/** Makes the loop. */
export function createGating({ board, fabric }: GatingOptions): Gating {
  let due = false;
  function settleSoon(): void {
    if (due) return;
    due = true;
    setImmediate(() => {
      due = false;
      if (board.ready) fabric.setSick(findSick(board.read().instances, fabric.list()));
    });
  }
  return {
    async run(signal) {
      const stopBoard = board.onChange(settleSoon);
      const stop = fabric.registry.watch(({ type }) => {
        if (type === "up") settleSoon();
      });
      settleSoon();
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
      stop();
      stopBoard();
    },
  };
}
