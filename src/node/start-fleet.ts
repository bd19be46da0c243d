// SPDX-License-Identifier: Apache-2.0
// The fleet that the settings name: its part of the store, and where this node is reached.
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { cpus, machine, platform, totalmem } from "node:os";
import type { Clock, Random } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import { readNodeDevices, readNodeLabels, type Settings } from "#config/settings.ts";
import { readStorePlace, renderStoreEndpoints } from "#config/store-endpoints.ts";
import type { PeerFleet } from "#control/fleet.ts";
import type { OwnRecord } from "#control/roll-entries.ts";
import { startMembership } from "#membership/start-membership.ts";
import { knock } from "#peering/knock.ts";
import { startPeering } from "#peering/start-peering.ts";
import { openStore } from "#store/open.ts";
import { readNodeId } from "./node-id.ts";
import { describeStore } from "./open-node-store.ts";

/** What a fleet is opened with. */
export interface FleetParts {
  readonly settings: Settings;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const KEY_BYTES = 32;

/** Host and port of `host:port`, IPv6 without brackets. */
export function splitPlace(text: string): { readonly host: string; readonly port: number } {
  const at = text.lastIndexOf(":");
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(text.slice(at + 1)) };
}

/** The address by which this host reaches a place; nothing is sent. Undefined when there is no way. */
async function findAddressTowards(place: string): Promise<string | undefined> {
  const { host, port } = splitPlace(place);
  try {
    const { address, family } = await lookup(host);
    const socket = createSocket(family === 6 ? "udp6" : "udp4");
    try {
      const connected = once(socket, "connect");
      socket.connect(port, address);
      await connected;
      return socket.address().address;
    } finally {
      socket.close();
    }
  } catch {
    return undefined;
  }
}

/** Where others reach this node: as the settings say, else by the way to the store. */
async function findOwnAddress({ fleet, store }: Settings): Promise<string> {
  if (fleet.address !== "") return fleet.address;
  const { host } = splitPlace(fleet.listen);
  if (host !== "0.0.0.0" && host !== "::") return host;
  const [first = ""] = readStorePlace(store).endpoints;
  return (await findAddressTowards(first)) ?? (isIPv6(host) ? "::1" : "127.0.0.1");
}

/** What this node puts on the roll. */
export async function describeSelf({ settings, version }: FleetParts): Promise<OwnRecord> {
  const { port } = splitPlace(settings.fleet.listen);
  return {
    id: await readNodeId(settings),
    name: settings.nodeName,
    address: settings.fleet.name === "" ? "" : await findOwnAddress(settings),
    port: settings.fleet.name === "" ? 0 : port,
    version,
    os: platform(),
    arch: machine(),
    cpuCount: cpus().length,
    memoryBytes: totalmem(),
    labels: readNodeLabels(settings),
    devices: readNodeDevices(settings),
  };
}

/** The fleet; undefined when the settings name none. */
export function describeFleet(parts: FleetParts): PeerFleet | undefined {
  const { settings, clock, logger } = parts;
  const { name, listen } = settings.fleet;
  if (name === "") return undefined;
  return {
    name,
    async openStore() {
      const store = { ...settings.store, prefix: `/fairlead/fleets/${name}/` };
      const { kind } = readStorePlace(store);
      return openStore(await describeStore(kind, { ...settings, store }, logger), { clock });
    },
    async describeAccess(elsewhere) {
      const { kind, endpoints } = readStorePlace(settings.store);
      const asked = elsewhere && readStorePlace({ kind, endpoints: elsewhere.join(",") });
      const { caFile } = settings.store;
      const ca = caFile === "" ? {} : { ca: await readFile(caFile, "utf8") };
      return { endpoints: renderStoreEndpoints(asked ?? { kind, endpoints }), ...ca };
    },
    makeKey: () => randomBytes(KEY_BYTES).toString("base64"),
    startMembership: (options) =>
      startMembership({ ...options, address: splitPlace(listen).host }, parts),
    knock,
    startPeering: (options) => startPeering({ ...options, address: splitPlace(listen).host }),
  };
}
