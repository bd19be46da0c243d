// SPDX-License-Identifier: Apache-2.0
// What a host does before its node takes part in a fleet: everything that could go wrong goes wrong here, while nothing of
// the host has changed yet.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { NodeRecord } from "@fairlead/protocol/node.ts";
import { FairleadError } from "#base/errors.ts";
import { locateNodeFiles, findPlaces, makeNodeDirectories } from "#config/node-files.ts";
import { controlErrors } from "#control/errors.ts";
import type { Fleet } from "#control/fleet.ts";
import { refuseClashes } from "#control/host-networks.ts";
import { planTokenUse, type TokenProof } from "#control/join-tokens.ts";
import { readClaims } from "#control/keep-overlay-entries.ts";
import { askForKnock } from "#control/knocks.ts";
import {
  enterRoll,
  FAREWELLS,
  NODES,
  readFleetKey,
  readRoll,
  UNMARKED,
} from "#control/roll-entries.ts";
import { openDoor } from "#peering/knock.ts";
import type { Store } from "#store/store.ts";
import { listHostNetworks } from "./list-host-networks.ts";
import { describeFleet, describeSelf, splitPlace, type FleetParts } from "./start-fleet.ts";

/** What became of it. */
export interface Entered {
  /** Where the others reach this host. */
  readonly address: string;
  /** Names of the other nodes that live, and of those that were heard: none where no other one lives. */
  readonly others: readonly string[];
  readonly heard: readonly string[];
}

const ATTEMPTS = 5;
/** Others learn of a new node by a watch, and ping it within half a second. */
const HEAR_MS = 5_000;
const LOOK_MS = 50;
const CONNECT_MS = 2_000;
/** How many of those that were heard are asked to connect to this host: one that does is enough. */
const ASKED_MAX = 8;
const WORD_BYTES = 16;

function needFleet(parts: FleetParts): Fleet {
  const fleet = describeFleet(parts);
  if (fleet === undefined) throw new Error("the settings name no fleet");
  return fleet;
}

/** Begins a fleet. Throws FL0738 `fleet-exists`, and what the store throws. */
export async function createFleet(parts: FleetParts): Promise<Entered> {
  const fleet = needFleet(parts);
  await using store = await fleet.openStore();
  const { records } = await readRoll(store);
  if (records.length > 0)
    throw new FairleadError(controlErrors["fleet-exists"], `there is a fleet ${fleet.name}`, {
      facts: { nodes: records.map(({ name }) => name).join(", ") },
    });
  await readFleetKey(store, fleet.makeKey);
  makeNodeDirectories(locateNodeFiles(findPlaces(parts.settings)));
  return { address: (await describeSelf(parts)).address, others: [], heard: [] };
}

/** Why no connection to that node stands within the time; undefined when one does. */
async function tryConnection({ name, address, port }: NodeRecord): Promise<string | undefined> {
  const socket = connect({ host: address, port });
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(CONNECT_MS) });
    return undefined;
  } catch (thrown) {
    const because = thrown instanceof Error && "code" in thrown ? thrown.code : "no answer";
    return `${name} ${address}:${port}: ${because === "ABORT_ERR" ? "no answer" : because}`;
  } finally {
    socket.on("error", () => undefined);
    socket.destroy();
  }
}

/**
 * Waits until this host connects to one of those that were heard, as images, logs and calls need it. Empty when it does; else
 * why it does not.
 */
async function awaitConnection(heard: readonly NodeRecord[]): Promise<readonly string[]> {
  // One that has only just started opens its port when it has read the fleet's key.
  for (const giveUpMs = performance.now() + HEAR_MS; ; await sleep(LOOK_MS)) {
    const tried = await Promise.all(heard.map(tryConnection));
    const problems = tried.filter((problem) => problem !== undefined);
    if (problems.length < heard.length || heard.length === 0) return [];
    if (performance.now() > giveUpMs) return problems;
  }
}

/** Waits until one of those that were heard has connected to this host, where the roll says that it is. */
async function awaitWayBack(
  { settings }: FleetParts,
  store: Store,
  { id, address, port }: NodeRecord,
  heard: readonly NodeRecord[],
): Promise<boolean> {
  const word = randomBytes(WORD_BYTES).toString("hex");
  const { host } = splitPlace(settings.fleet.listen);
  await using door = await openDoor({ address: host, port }, word);
  const asked = heard.slice(0, ASKED_MAX).map((node) => node.id);
  await using _question = await askForKnock(store, id, { address, port, word, asked });
  const enough = new AbortController();
  const late = sleep(HEAR_MS, false, { signal: enough.signal }).catch(() => false);
  const isHeard = await Promise.race([door.heard.then(() => true), late]);
  enough.abort();
  return isHeard;
}

function refuseUnreachable(
  own: NodeRecord,
  message: string,
  facts: Readonly<Record<string, string | number>>,
): never {
  throw new FairleadError(controlErrors["address-unreachable"], message, {
    facts: { address: own.address, ...facts },
  });
}

/** Waits until one of the others answers at the address on the roll: then all that is needed works in both directions. */
async function awaitAnswer(
  fleet: Fleet,
  store: Store,
  own: NodeRecord,
  others: readonly NodeRecord[],
): Promise<readonly NodeRecord[]> {
  if (others.length === 0) return [];
  const secret = await readFleetKey(store, fleet.makeKey);
  const { id, incarnation, port } = own;
  await using membership = await fleet.startMembership({ id, incarnation, port, secret });
  membership.setPeers(others);
  const giveUpMs = performance.now() + HEAR_MS;
  for (;;) {
    const answered = membership.list().filter(({ rttMs }) => rttMs !== undefined);
    if (answered.length > 0 || performance.now() > giveUpMs) {
      // Without peers nobody is told farewell: the node itself is about to start.
      membership.setPeers([]);
      const ids = new Set(answered.map(({ id: one }) => one));
      return others.filter((other) => ids.has(other.id));
    }
    await sleep(LOOK_MS);
  }
}

/** Takes one use of the token; whoever was removed before is one of the fleet again. */
async function useToken(store: Store, proof: TokenProof, own: NodeRecord): Promise<void> {
  const back = { kind: "delete" as const, key: FAREWELLS + own.id };
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { operations, conditions } = await planTokenUse(store, proof, own.name);
    if ((await store.transact([...operations, back], conditions)) !== undefined) return;
  }
  throw new FairleadError(controlErrors["act-failed"], "others join with the token all the time");
}

/**
 * Puts this host on the roll of the fleet that the settings name, and takes one use of the token: last, once all else has
 * been found to work. Throws FL0732 to FL0735 for the token, FL0720 `overlay-ranges`, FL0711 `node-name-taken`, FL0737 `address-unreachable`,
 * FL1001 when the port is taken, and what the store throws; then nothing of it is left.
 */
export async function joinFleet(parts: FleetParts, proof: TokenProof): Promise<Entered> {
  const fleet = needFleet(parts);
  await using store = await fleet.openStore();
  await planTokenUse(store, proof, parts.settings.nodeName);
  refuseClashes(await readClaims(store), listHostNetworks());
  makeNodeDirectories(locateNodeFiles(findPlaces(parts.settings)));
  const self = await describeSelf(parts);
  const before = await store.get(NODES + self.id);
  const entering = { fleet: fleet.name, nowMs: parts.clock.nowMs(), welcome: true };
  const own = await enterRoll(store, { ...self, ...UNMARKED, incarnation: 0 }, entering);
  try {
    const { records, live } = await readRoll(store);
    const others = records.filter(({ id }) => id !== own.id && live.has(id));
    const heard = await awaitAnswer(fleet, store, own, others);
    if (others.length > 0 && heard.length === 0)
      refuseUnreachable(own, `no node of ${fleet.name} answers to ${own.address}:${own.port}`, {
        "port (UDP)": own.port,
        asked: others.map(({ name, address, port }) => `${name} ${address}:${port}`).join(", "),
      });
    const problems = await awaitConnection(heard);
    if (problems.length > 0)
      refuseUnreachable(own, `no node of ${fleet.name} is connected to from this host`, {
        "port (TCP)": own.port,
        because: problems.join("; "),
      });
    if (heard.length > 0 && !(await awaitWayBack(parts, store, own, heard)))
      refuseUnreachable(own, `no node of ${fleet.name} connects to ${own.address}:${own.port}`, {
        "port (TCP)": own.port,
        asked: heard.map(({ name, address }) => `${name} ${address}`).join(", "),
        because: "datagrams pass both ways, and connections only from here to there",
      });
    await useToken(store, proof, own);
    const [named, known] = [others, heard].map((some) => some.map(({ name }) => name));
    return { address: own.address, others: named ?? [], heard: known ?? [] };
  } catch (thrown) {
    const key = NODES + own.id;
    const undo =
      before === undefined ? undefined : { kind: "put" as const, key, value: before.value };
    await store.transact([undo ?? { kind: "delete", key }]);
    throw thrown;
  }
}
