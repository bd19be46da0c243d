// SPDX-License-Identifier: Apache-2.0
// Multicast and seeds of a node, where a key is there: nothing is told or believed without one.
import { readFile, stat } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import type { DiscoveryWay } from "@fairlead/protocol/views.ts";
import type { Clock, Random } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { Settings } from "#config/settings.ts";
import { discoveryErrors } from "#discovery/errors.ts";
import { joinMulticast } from "#discovery/multicast/join-multicast.ts";
import { joinSeeds } from "#discovery/multicast/join-seeds.ts";
import type { SeedPlace } from "#discovery/multicast/open-seed-carrier.ts";
import type { MulticastDiscovery } from "#discovery/multicast/start-member.ts";
import { readNodeId } from "./node-id.ts";
import type { OpenedWay } from "./start-discovery-way.ts";

interface DatagramParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

type Kind = "multicast" | "seeds";

const KEY_FILE = "discovery-key";
const OTHERS_MAY_READ = 0o077;

/** The hosts' common key; undefined when no file is named and there is none at the usual place. */
async function readKey(
  { stateDir, discovery }: Settings,
  logger: Logger,
): Promise<Buffer | undefined> {
  const path = discovery.keyFile === "" ? join(stateDir, KEY_FILE) : discovery.keyFile;
  try {
    const text = (await readFile(path, "utf8")).trim();
    if (((await stat(path)).mode & OTHERS_MAY_READ) !== 0)
      logger.warn("other users of this host may read the key of discovery", { path });
    return Buffer.from(text);
  } catch (cause) {
    const isWanted = discovery.keyFile !== "" || discovery.multicast === "on";
    if (!isWanted && discovery.seeds === "") return undefined;
    throw new FairleadError(
      discoveryErrors["discovery-key-missing"],
      `there is no key in ${path}`,
      {
        cause,
        facts: { path },
      },
    );
  }
}

function findAddress(wanted: string): string | undefined {
  if (wanted === "" || isIPv4(wanted)) return wanted === "" ? undefined : wanted;
  const found = networkInterfaces()[wanted]?.find(({ family }) => family === "IPv4");
  if (found !== undefined) return found.address;
  throw new FairleadError(
    discoveryErrors["multicast-unavailable"],
    `there is no interface ${wanted} with an IPv4 address`,
  );
}

function nameInterface(address: string | undefined): string {
  const found = Object.entries(networkInterfaces()).find(([, addresses]) =>
    addresses?.some((one) => one.address === address),
  );
  return found?.[0] ?? address ?? "?";
}

function parsePlace(text: string): SeedPlace {
  const at = text.lastIndexOf(":");
  return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
}

function readOpen(kind: Kind, where: string, heartbeatMs: number, member: MulticastDiscovery) {
  return (): DiscoveryWay => {
    const selfHeardMs = member.readSelfHeardMs();
    return {
      kind,
      state: "on",
      where,
      ...(member.localAddress === undefined ? {} : { address: member.localAddress }),
      peers: member.listPeers().map(({ sender, state, silentMs, agents }) => ({
        name: sender,
        state,
        silentMs: Math.round(silentMs),
        agents,
      })),
      heartbeatMs,
      ...(selfHeardMs === undefined ? {} : { selfHeardMs: Math.round(selfHeardMs) }),
      counters: { ...member.readCounters() },
    };
  };
}

function closedWay(kind: Kind, state: "off" | "failed", where: string, problem: string): OpenedWay {
  return { kind, read: () => ({ kind, state, where, problem, peers: [], counters: {} }) };
}

/** A way that cannot be opened is told in `status`, and tried again; the others go on. */
async function openWay(
  kind: Kind,
  where: string,
  logger: Logger,
  open: () => Promise<OpenedWay>,
  isFirst = true,
): Promise<OpenedWay> {
  try {
    return await open();
  } catch (thrown) {
    const { message, cause } = FairleadError.from(thrown);
    const because = cause instanceof Error ? `${message}: ${cause.message}` : message;
    if (isFirst) logger.warn("a way of discovery is not there", { kind, reason: because });
    const retry = (): Promise<OpenedWay> => openWay(kind, where, logger, open, false);
    return { ...closedWay(kind, "failed", where, because), retry };
  }
}

interface Common {
  readonly sender: string;
  readonly secret: Buffer;
  readonly heartbeatMs: number;
}

function openMulticastWay(
  { discovery }: Settings,
  common: Common,
  parts: DatagramParts,
): Promise<OpenedWay> {
  const place = `${discovery.group}:${discovery.port}`;
  return openWay("multicast", place, parts.logger, async () => {
    const interfaceAddress = findAddress(discovery.interface);
    const member = await joinMulticast(
      {
        ...common,
        group: discovery.group,
        port: discovery.port,
        ...(interfaceAddress === undefined ? {} : { interfaceAddress }),
        ...(discovery.plainScope === "" ? {} : { plainScope: discovery.plainScope }),
      },
      parts,
    );
    const where = `${place} on ${nameInterface(member.localAddress)}`;
    const read = readOpen("multicast", where, common.heartbeatMs, member);
    return { kind: "multicast", discovery: member, read };
  });
}

function openSeedsWay(
  { discovery }: Settings,
  common: Common,
  parts: DatagramParts,
): Promise<OpenedWay> {
  const { seedsListen } = discovery;
  const seeds = discovery.seeds === "" ? [] : discovery.seeds.split(",").map(parsePlace);
  const where = `${discovery.seeds === "" ? "no seeds" : discovery.seeds}, heard on ${seedsListen}`;
  return openWay("seeds", where, parts.logger, async () => {
    const member = await joinSeeds({ ...common, listen: parsePlace(seedsListen), seeds }, parts);
    const read = readOpen("seeds", where, common.heartbeatMs, member);
    return { kind: "seeds", discovery: member, read };
  });
}

/**
 * Opens multicast and seeds as the settings say. Throws `discovery-key-missing` and `multicast-option` where what is
 * asked for cannot be.
 */
export async function openDatagramWays(
  settings: Settings,
  parts: DatagramParts,
): Promise<readonly OpenedWay[]> {
  const { multicast, seedsListen, heartbeatMs } = settings.discovery;
  const secret = await readKey(settings, parts.logger);
  const noKey = `there is no key: make one in ${join(settings.stateDir, KEY_FILE)}, the same on all hosts`;
  if (secret === undefined)
    return [
      closedWay("multicast", "off", "", multicast === "off" ? "switched off" : noKey),
      closedWay("seeds", "off", "", noKey),
    ];
  if (secret.length < 16)
    throw new FairleadError(discoveryErrors["discovery-key-missing"], "the key is too short", {
      facts: { bytes: secret.length },
    });
  const common: Common = { sender: await readNodeId(settings), secret, heartbeatMs };
  return Promise.all([
    multicast === "off"
      ? closedWay("multicast", "off", "", "switched off")
      : openMulticastWay(settings, common, parts),
    seedsListen === "off"
      ? closedWay("seeds", "off", "", "switched off")
      : openSeedsWay(settings, common, parts),
  ]);
}
