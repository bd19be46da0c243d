// SPDX-License-Identifier: Apache-2.0
// All by which the agents of a fleet's hosts find and call each other: links between the nodes, and what goes over them.
import { createHmac } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import type { Clock, Random } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { findPlaces, locateNodeFiles } from "#config/node-files.ts";
import type { Settings } from "#config/settings.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import type { Farewells } from "#control/farewells.ts";
import { createFleetNames, type FleetNames } from "#control/fleet/fleet-names.ts";
import { createLinking } from "#control/fleet/linking.ts";
import type { Overlays } from "#control/overlays.ts";
import type { Peers } from "#control/peers.ts";
import type { Roll } from "#control/roll.ts";
import type { Fabric } from "#fabric/fabric.ts";
import type { FabricOptions } from "#fabric/open.ts";
import { readNodeId } from "./node-id.ts";

export interface LinkParts {
  readonly settings: Settings;
  readonly peers: Peers | undefined;
  readonly self: { readonly id: string; readonly name: string };
  readonly roll: Pick<Roll, "list" | "onLook" | "probe" | "problem">;
  readonly board: FactsBoard;
  readonly farewells: Farewells;
  readonly fabric: Fabric;
  readonly overlays: Overlays;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface Links {
  /** Services of other hosts. */
  readonly names: FleetNames;
  readonly loops: readonly { run(signal: AbortSignal): Promise<void> }[];
}

function locateKey(settings: Settings): string {
  return locateNodeFiles(findPlaces(settings)).fleetScopes;
}

/** What the fabric has to know of the fleet before the fleet's store was asked. */
export async function describeLinks(settings: Settings): Promise<Pick<FabricOptions, "fleet">> {
  if (settings.fleet.name === "") return {};
  const key = await readFile(locateKey(settings), "utf8").catch(() => undefined);
  const id = await readNodeId(settings);
  return { fleet: { id, ...(key === undefined ? {} : { key: key.trim() }) } };
}

/** Makes the loops; undefined without a fleet. */
export function openLinks(parts: LinkParts): Links | undefined {
  const { settings, peers, self, fabric, logger, ...rest } = parts;
  const { nodes } = fabric;
  if (peers === undefined || nodes === undefined) return undefined;
  peers.onKey((secret) => {
    const key = createHmac("sha256", secret).update("fairlead scopes").digest();
    fabric.setFleetKey(key);
    // So that agents need no other ticket after the next start.
    writeFile(locateKey(settings), `${key.toString("base64url")}\n`, { mode: 0o600 }).catch(
      (thrown: unknown) =>
        logger.warn("the key of the fleet's scopes could not be kept", {
          reason: FairleadError.from(thrown).message,
        }),
    );
  });
  const names = createFleetNames({ ...rest, nodes, logger });
  const linking = createLinking({ ...rest, self, peers, nodes, logger });
  return { names, loops: [names, linking] };
}
