// SPDX-License-Identifier: Apache-2.0
// Hosts that want to join a fleet on a real etcd, and what they are refused for: nothing is left of it then. The fleet has
// one node, with real datagrams on the loopback.
import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parseJoinToken } from "@fairlead/protocol/join-token.ts";
import type { NodeFarewell } from "@fairlead/protocol/node.ts";
import { FairleadError } from "#base/errors.ts";
import { silentLogger } from "#base/logger.ts";
import { loadSettings } from "#config/load-settings.ts";
import { createDecisionLog, type DecisionLog } from "#control/decision-log.ts";
import type { FleetOperations } from "#control/fleet-operations.ts";
import { openFleetOperations } from "#control/open-fleet-operations.ts";
import { FAREWELLS, LIVE, NODES } from "#control/roll-entries.ts";
import { createRoll, type Roll } from "#control/roll.ts";
import { issueCertificate, makeAuthority } from "#lab/certificates.ts";
import { startEtcd, type EtcdCluster } from "#lab/etcd.ts";
import { until } from "#lab/rig.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import { createFleet, joinFleet } from "./enter-fleet.ts";
import { describeFleet, describeSelf, type FleetParts } from "./start-fleet.ts";
import { createSystemClock } from "./system-clock.ts";

const NETWORK = `127.${64 + randomInt(128)}.${randomInt(256)}`;
const PORT = 17_121;
const PATIENCE_MS = 20_000;
const BY = { actor: "ana" };
const clock = createSystemClock();

let directory: string;
let cluster: EtcdCluster;
let first: Seated;
/** The fleet's part of the store, as the test looks at it. */
let store: Store;

function makeParts(index: number, flags: Readonly<Record<string, string>> = {}): FleetParts {
  const { settings } = loadSettings({
    env: {},
    uid: 0,
    hostName: `node-${"abcdef"[index]}`,
    readFile: () => undefined,
    flags: {
      stateDir: join(directory, String(index)),
      socket: join(directory, String(index), "run.sock"),
      "store.endpoints": cluster.endpoints.join(","),
      "fleet.name": "harbour",
      "fleet.listen": `${NETWORK}.${index + 1}:${PORT}`,
      ...flags,
    },
  });
  return { settings, version: "0.0.0", clock, random: Math.random, logger: silentLogger };
}

interface Seated extends AsyncDisposable {
  readonly roll: Roll;
  readonly decisions: DecisionLog;
  readonly operations: FleetOperations;
}

function splitListen({ settings }: FleetParts): { host: string; port: number } {
  const [host = "", port = ""] = settings.fleet.listen.split(":");
  return { host, port: Number(port) };
}

/** What is still seated when a test has failed. */
const seats = new Set<AsyncDisposable>();

/** What of a node takes part in a fleet. */
async function seat(parts: FleetParts, { connects = true } = {}): Promise<Seated> {
  const memory = await openStore({ kind: "memory" }, { clock });
  const decisions = createDecisionLog({ ...parts, store: memory });
  const fleet = describeFleet(parts);
  const own = { self: await describeSelf(parts), store: memory, decisions };
  const roll = createRoll({ ...own, fleet, ...parts });
  const ending = new AbortController();
  const { host, port } = splitListen(parts);
  // Of what it answers over connections a host that joins asks nothing.
  const server = createServer((socket) => socket.destroy());
  if (connects) await once(server.listen(port, host), "listening");
  const running = roll.run(ending.signal);
  const seated: Seated = {
    roll,
    decisions,
    operations: openFleetOperations({ fleet, own: () => undefined, roll, decisions, ...parts }),
    async [Symbol.asyncDispose]() {
      seats.delete(seated);
      ending.abort();
      server.close();
      await running;
    },
  };
  seats.add(seated);
  await until("it stands on the roll", PATIENCE_MS, async () => roll.problem === undefined);
  return seated;
}

async function makeToken(uses = 1) {
  const { text, view } = await first.operations.createToken({ uses }, BY);
  const parsed = parseJoinToken(text);
  assert.ok(parsed.ok);
  const { id, secret, ...rest } = parsed.token;
  assert.deepEqual(rest, { fleet: "harbour", endpoints: cluster.endpoints });
  return { proof: { id, secret }, view };
}

async function refusal(work: Promise<unknown>): Promise<FairleadError> {
  try {
    await work;
  } catch (thrown) {
    assert.ok(thrown instanceof FairleadError, String(thrown));
    return thrown;
  }
  assert.fail("was accepted");
}

async function listNames(): Promise<readonly unknown[]> {
  const { entries } = await store.list(NODES);
  return entries.map(({ value }) => (value as { name: string }).name);
}

async function listActs(): Promise<readonly string[]> {
  const decisions = await first.decisions.list({ limit: 100 });
  return decisions.map(({ act, object }) => `${act} ${object}`).toReversed();
}

before(async () => {
  cluster = await startEtcd();
  directory = mkdtempSync(join(tmpdir(), "fairlead-enter-"));
  const parts = makeParts(0);
  await createFleet(parts);
  first = await seat(parts);
  const fleet = describeFleet(parts);
  assert.ok(fleet);
  store = await fleet.openStore();
});
after(async () => {
  await store?.[Symbol.asyncDispose]();
  for (const seated of seats) await seated[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

test("a token that is forged, expired, used or revoked lets nobody in, and nothing is left on the roll", async () => {
  const [forged, expired, revoked] = [await makeToken(), await makeToken(), await makeToken()];
  const parts = makeParts(1);
  const secret = `${forged.proof.secret.slice(1)}A`;
  assert.equal((await refusal(joinFleet(parts, { ...forged.proof, secret }))).kind.id, "FL0732");
  // As the lease does it when its time is over.
  await store.transact([{ kind: "delete", key: `tokens-live/${expired.proof.id}` }]);
  assert.equal((await refusal(joinFleet(parts, expired.proof))).kind.id, "FL0733");
  await first.operations.revokeToken(revoked.proof.id, { actor: "bob" });
  const error = await refusal(joinFleet(parts, revoked.proof));
  assert.equal(error.kind.id, "FL0735");
  assert.equal(error.facts["revoked by"], "bob on node-a");
  assert.deepEqual(await listNames(), ["node-a"]);
  const states = (await first.operations.listTokens()).map(({ id, state }) => [id, state]);
  assert.deepEqual(Object.fromEntries(states), {
    [forged.proof.id]: "valid",
    [expired.proof.id]: "expired",
    [revoked.proof.id]: "revoked",
  });
});

test("a name of one who lives, an address nobody reaches and a port that is taken cost no use", async () => {
  const { proof } = await makeToken();
  const named = makeParts(1, { nodeName: "node-a" });
  assert.equal((await refusal(joinFleet(named, proof))).kind.id, "FL0711");
  const elsewhere = await refusal(
    joinFleet(makeParts(1, { "fleet.address": `${NETWORK}.99` }), proof),
  );
  assert.equal(elsewhere.kind.id, "FL0737");
  assert.deepEqual(elsewhere.facts, {
    address: `${NETWORK}.99`,
    "port (UDP)": PORT,
    asked: `node-a ${NETWORK}.1:${PORT}`,
  });
  const taken = makeParts(1, { "fleet.listen": `${NETWORK}.1:${PORT}` });
  assert.equal((await refusal(joinFleet(taken, proof))).kind.id, "FL1001");
  assert.deepEqual(await listNames(), ["node-a"]);
  const found = (await first.operations.listTokens()).find(({ id }) => id === proof.id);
  assert.deepEqual([found?.state, found?.usesLeft], ["valid", 1]);
  assert.ok(!(await listActs()).some((act) => act.startsWith("node.")), "nobody joined or went");
});

test("a host joins and is noted once it is heard; the token is used up; it leaves, and can come back", async () => {
  const { proof } = await makeToken();
  const parts = makeParts(1, { nodeLabels: "zone=east,disk=ssd" });
  const entered = await joinFleet(parts, proof);
  assert.deepEqual(entered, {
    address: `${NETWORK}.2`,
    others: ["node-a"],
    heard: ["node-a"],
  });
  const again = await refusal(joinFleet(makeParts(2), proof));
  assert.equal(again.kind.id, "FL0734");
  assert.equal(again.facts["joined with it"], "node-b");
  const seated = await seat(parts);
  await until("it is noted", PATIENCE_MS, async () =>
    (await listActs()).includes("node.join node/node-b"),
  );
  const seen = first.roll.list().find(({ name }) => name === "node-b");
  assert.deepEqual(seen?.labels, { zone: "east", disk: "ssd" });

  await first.operations.mark("node-b", "drain", BY);
  await until("it knows its own marks", PATIENCE_MS, async () => {
    const [own] = seated.roll.list();
    return own?.draining === true && !own.schedulable;
  });
  assert.equal((await refusal(first.operations.remove("node-b", BY))).kind.id, "FL0739");
  assert.equal((await refusal(first.operations.mark("node-x", "cordon", BY))).kind.id, "FL0701");

  await seated.operations.leave({ actor: "carol", reason: "less to do" });
  await until("it is off the roll", PATIENCE_MS, async () => first.roll.list().length === 1);
  await until("it is noted", PATIENCE_MS, async () =>
    (await listActs()).includes("node.leave node/node-b"),
  );
  await seated[Symbol.asyncDispose]();
  await using back = await seat(parts);
  assert.deepEqual(
    back.roll.list().map(({ schedulable }) => schedulable),
    [true, true],
  );
  await until("both are there", PATIENCE_MS, async () => first.roll.list().length === 2);
});

test("a node that is gone is removed, does not come back by itself, and joins anew with a token", async (t) => {
  const { proof } = await makeToken(2);
  const parts = makeParts(3, { nodeName: "node-d" });
  await joinFleet(parts, proof);
  const lost = await seat(parts);
  await first.operations.mark("node-d", "cordon", BY);
  const id = first.roll.list().find(({ name }) => name === "node-d")?.id ?? "";
  await lost[Symbol.asyncDispose]();
  await until("it is away", PATIENCE_MS, async () =>
    ["left", "gone"].includes(first.roll.list().find((node) => node.id === id)?.state ?? ""),
  );
  await first.operations.remove("node-d", { ...BY, reason: "its disk died" });
  const farewell = (await store.get(FAREWELLS + id))?.value as NodeFarewell;
  assert.deepEqual(
    [farewell.how, farewell.by, farewell.reason],
    ["removed", "ana on node-a", "its disk died"],
  );
  const fleet = describeFleet(parts);
  const { decisions } = first;
  const memory = await openStore({ kind: "memory" }, { clock });
  const own = { self: await describeSelf(parts), store: memory, decisions };
  const roll = createRoll({ ...own, fleet, ...parts });
  const ending = new AbortController();
  const running = roll.run(ending.signal);
  t.after(() => ending.abort());
  await until("it is told why", PATIENCE_MS, async () =>
    (roll.problem ?? "").includes("node-d was removed from the fleet harbour"),
  );
  ending.abort();
  await running;
  assert.ok(!(await listNames()).includes("node-d"));
  await joinFleet(parts, proof);
  await using back = await seat(parts);
  assert.equal(back.roll.list()[0]?.schedulable, true, "marks of its former life are gone");
});

test("nodes that hear each other and cannot connect are no fleet yet", async () => {
  const quay = (index: number) => makeParts(index, { "fleet.name": "quay" });
  await createFleet(quay(5));
  // As where datagrams pass and connections do not.
  await using deaf = await seat(quay(5), { connects: false });
  const { text } = await deaf.operations.createToken({}, BY);
  const parsed = parseJoinToken(text);
  assert.ok(parsed.ok);
  const held = await refusal(joinFleet(quay(1), parsed.token));
  assert.equal(held.kind.id, "FL0737");
  assert.equal(held.facts["port (TCP)"], PORT);
  assert.match(String(held.facts["because"]), /^node-f .*: ECONNREFUSED$/);
  await until("it is off the roll", PATIENCE_MS, async () => deaf.roll.list().length === 1);
});

test("a fleet of that name, a store that is away and one with other certificates are told apart", async () => {
  const other = makeParts(4);
  const exists = await refusal(createFleet(other));
  assert.deepEqual(
    [exists.kind.id, String(exists.facts["nodes"]).includes("node-a")],
    ["FL0738", true],
  );
  const away = makeParts(4, { "store.endpoints": "127.0.0.1:1" });
  assert.equal((await refusal(joinFleet(away, { id: "tok_1", secret: "" }))).kind.id, "FL0401");

  const [ours, theirs] = [makeAuthority(directory, "ours"), makeAuthority(directory, "theirs")];
  const signed = { authority: ours, names: ["IP:127.0.0.1"] };
  const member = issueCertificate(directory, "member", signed);
  const client = issueCertificate(directory, "client", signed);
  await using guarded = await startEtcd({ tls: { ca: ours.cert, ...member, clientCa: true } });
  const base = { "store.endpoints": guarded.endpoints.join(","), "fleet.name": "guarded" };
  const proof = { "store.certFile": client.cert, "store.keyFile": client.key };
  const wrong = { ...base, ...proof, "store.caFile": theirs.cert };
  assert.equal((await refusal(createFleet(makeParts(4, wrong)))).kind.id, "FL0413");
  await createFleet(makeParts(4, { ...base, ...proof, "store.caFile": ours.cert }));
});

test("a store that was lost is given the fleet's key back; where somebody was quicker, the node takes that one", async () => {
  const own = first.roll.list()[0]?.id ?? "";
  const lost = { kind: "delete", key: NODES + own } as const;
  const before = (await store.get("key"))?.value;
  assert.ok(typeof before === "string");
  await store.transact([lost, { kind: "delete", key: "key" }]);
  await until("it is there again", PATIENCE_MS, async () => (await store.get("key")) !== undefined);
  assert.equal((await store.get("key"))?.value, before);
  const isBack = async (): Promise<boolean> =>
    (await listNames()).includes("node-a") && (await store.get(LIVE + own)) !== undefined;
  await until("it is on the roll again", PATIENCE_MS, isBack);
  const value = randomBytes(32).toString("base64");
  await store.transact([lost, { kind: "put", key: "key", value }]);
  await until("it is on the roll again", PATIENCE_MS, isBack);
  const { proof } = await makeToken();
  assert.deepEqual((await joinFleet(makeParts(2), proof)).heard, ["node-a"]);
});
