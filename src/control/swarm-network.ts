// SPDX-License-Identifier: Apache-2.0
// Networks of the Swarm that the engines form: they span hosts, and the engines keep them. One manager makes it, all have it.
import { FairleadError } from "#base/errors.ts";
import type { Engine } from "#engine/engine.ts";
import type { NetworkIntent } from "#model/intent.ts";
import { controlErrors } from "./errors.ts";

const SWARM_DRIVER = "overlay";

/**
 * The network as the engine is to make it: containers that are no tasks of the Swarm may join it. Others pass through.
 * Throws FL0726 `swarm-away`, FL0727 `swarm-locked`, FL0728 `swarm-worker`, and what the engine throws.
 */
export async function prepareSwarmNetwork(
  network: NetworkIntent,
  engine: Pick<Engine, "info">,
): Promise<NetworkIntent> {
  if (network.driver !== SWARM_DRIVER) return network;
  const { swarmState: state, swarmManager } = await engine.info();
  const refuse = (kind: "swarm-away" | "swarm-locked" | "swarm-worker", why: string) =>
    new FairleadError(controlErrors[kind], `the network ${network.name} cannot be made: ${why}`, {
      facts: { swarm: state },
    });
  if (state === "locked") throw refuse("swarm-locked", "the Swarm is locked");
  if (state !== "active") throw refuse("swarm-away", "this engine is in no Swarm");
  if (!swarmManager) throw refuse("swarm-worker", "this engine is a worker");
  return { ...network, attachable: true };
}

/** Whether an engine that refused a network of the Swarm did so since another manager has just made it. */
export function isMadeElsewhere({ driver }: NetworkIntent, thrown: unknown): boolean {
  return driver === SWARM_DRIVER && FairleadError.from(thrown).code === "already_exists";
}
