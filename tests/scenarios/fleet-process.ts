// SPDX-License-Identifier: Apache-2.0
// Nodes of one fleet on one machine, each at an address of loopback of its own: how they are set, and, without engines, as processes of
// the test.
import { randomInt } from "node:crypto";
import { join } from "node:path";
import type { EtcdCluster } from "#lab/etcd.ts";
import { createNodeProcess, type NodeProcess } from "./node-process.ts";

/** All nodes have the same port, as on real hosts. */
export const FLEET_PORT = 17_120;
/** Addresses that are this run's own. */
const NETWORK = `127.${64 + randomInt(128)}.${randomInt(256)}`;

/** What a node answers with a list. */
export interface List<T> {
  readonly items: readonly T[];
  readonly missing: readonly string[];
}

export interface FleetProcess extends Pick<NodeProcess, "start" | "signal" | "cli"> {
  readonly name: string;
  ask<T>(path: string): Promise<List<T>>;
}

/** Where others reach the node of that index, and strangers claim to be. */
export const fleetAddress = (index: number): string => `${NETWORK}.${index + 1}`;

/** Settings of the node of that index, of the fleet whose store is there; `node-a` is 0. */
export function fleetSettings(
  { endpoints }: Pick<EtcdCluster, "endpoints">,
  index: number,
  name = `node-${"abc"[index]}`,
) {
  return {
    FAIRLEAD_NODE_NAME: name,
    FAIRLEAD_STORE_ENDPOINTS: endpoints.join(","),
    FAIRLEAD_FLEET_NAME: "harbour",
    FAIRLEAD_FLEET_LISTEN: `${fleetAddress(index)}:${FLEET_PORT}`,
  };
}

/** Describes a node that keeps its state in `directory`; `node-a` is 0. It does not run yet. */
export function createFleetProcess(
  directory: string,
  cluster: Pick<EtcdCluster, "endpoints">,
  index: number,
  name?: string,
): FleetProcess {
  const settings = fleetSettings(cluster, index, name);
  const { start, signal, ask, cli } = createNodeProcess(join(directory, String(index)), settings);
  return {
    name: settings.FAIRLEAD_NODE_NAME,
    start,
    signal,
    cli,
    ask: async <T>(path: string) => (await ask<List<T>>(path)).body,
  };
}
