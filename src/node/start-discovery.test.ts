// SPDX-License-Identifier: Apache-2.0
// Discovery of two nodes on the loopback: real sockets, real stores, no engine and no API.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createRegistry, type Registry } from "@fairlead/fabric/registry.ts";
import type { AgentView } from "@fairlead/protocol/views.ts";
import { silentLogger } from "#base/logger.ts";
import { loadSettings } from "#config/load-settings.ts";
import { createDecisionLog, type DecisionLog } from "#control/decision-log.ts";
import { buildRecord } from "#discovery/testing/build-record.ts";
import { chooseGroup } from "#discovery/testing/join-loopback.ts";
import { openStore } from "#store/open.ts";
import { startDiscovery, type RunningDiscovery } from "./start-discovery.ts";
import { createSystemClock } from "./system-clock.ts";

const CLOCK = createSystemClock();
const KEY = "a key of the tests, long enough";
const PATIENCE_MS = 15_000;

interface Node extends AsyncDisposable {
  readonly registry: Registry;
  readonly discovery: RunningDiscovery;
  readonly decisions: DecisionLog;
}

async function startNode(
  nodeName: string,
  flags: Readonly<Record<string, string>>,
  key: string | null = KEY,
): Promise<Node> {
  await using stack = new AsyncDisposableStack();
  const stateDir = await mkdtemp(join(tmpdir(), "fairlead-discovery-"));
  stack.defer(() => rm(stateDir, { recursive: true }));
  if (key !== null) await writeFile(join(stateDir, "discovery-key"), key, { mode: 0o600 });
  const { settings } = loadSettings({
    flags: { stateDir, "discovery.heartbeatMs": "300", "discovery.seedsListen": "off", ...flags },
    env: {},
    uid: 0,
    hostName: nodeName,
    readFile: () => undefined,
  });
  const store = stack.use(await openStore({ kind: "memory" }, { clock: CLOCK }));
  const registry = createRegistry();
  const parts = { store, clock: CLOCK, random: Math.random, logger: silentLogger };
  const decisions = createDecisionLog(parts);
  const hands = { settings, fabric: { registry }, decisions, ...parts };
  const discovery = stack.use(await startDiscovery(hands));
  const owned = stack.move();
  return { registry, discovery, decisions, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Flags of a group of this test alone. */
function chooseFlags(): Record<string, string> {
  const { group, port } = chooseGroup();
  return {
    "discovery.group": group,
    "discovery.port": String(port),
    "discovery.interface": "127.0.0.1",
  };
}

async function until(node: Node, isIt: (agents: readonly AgentView[]) => boolean): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!isIt(node.discovery.list())) {
    assert.ok(performance.now() < endMs, JSON.stringify(node.discovery.list()));
    await CLOCK.sleep(10);
  }
}

const namesOf = (agents: readonly AgentView[]): string[] => agents.map(({ name }) => name).sort();

test("agents of the other node are listed with their source, commands of people are not told", async () => {
  const flags = chooseFlags();
  await using one = await startNode("one", flags);
  await using two = await startNode("two", flags);
  one.registry.put(buildRecord("f", { name: "cli-1", tags: { face: "cli" } }));
  one.registry.put(buildRecord("a", { name: "alpha", node: "one" }));
  await until(two, (agents) => agents.length === 1);
  const [alpha] = two.discovery.list();
  assert.deepEqual([alpha?.name, alpha?.source, alpha?.node], ["alpha", "multicast", "one"]);
  assert.deepEqual(one.discovery.list(), []);
  one.registry.remove("a", "left");
  await until(two, (agents) => agents.length === 0);
});

test("a filter is for those of other nodes too", async () => {
  const flags = chooseFlags();
  await using one = await startNode("one", flags);
  await using two = await startNode("two", flags);
  one.registry.put(buildRecord("a", { name: "alpha", skills: ["x"] }));
  one.registry.put(buildRecord("b", { name: "beta", skills: ["y"] }));
  await until(two, (agents) => agents.length === 2);
  assert.deepEqual(namesOf(two.discovery.list({ skill: "y" })), ["beta"]);
  assert.deepEqual(namesOf(two.discovery.list({ scope: "elsewhere" })), []);
});

test("without a key nothing is opened, and it says why", async () => {
  await using node = await startNode("one", chooseFlags(), null);
  const [multicast, seeds, registry] = node.discovery.readWays();
  assert.deepEqual([multicast?.state, seeds?.state, registry?.state], ["off", "off", "on"]);
  assert.match(multicast?.problem ?? "", /there is no key/);
});

test("what is asked for without a key, or with a short one, is an error", async () => {
  const wanted = { ...chooseFlags(), "discovery.multicast": "on" };
  await assert.rejects(startNode("one", wanted, null), { message: /there is no key/ });
  await assert.rejects(startNode("one", wanted, "short"), { message: /too short/ });
});

test("the plain form is shown as plain where it is switched on", async () => {
  const flags = chooseFlags();
  await using node = await startNode("one", { ...flags, "discovery.plainScope": "yard" });
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  socket.setMulticastInterface("127.0.0.1");
  const send = (): void =>
    socket.send(
      "HEARTBEAT|printer|10.0.0.9:631",
      Number(flags["discovery.port"]),
      flags["discovery.group"],
    );
  const sending = setInterval(send, 50);
  try {
    await until(node, (agents) => agents.length === 1);
  } finally {
    clearInterval(sending);
    socket.close();
  }
  const [printer] = node.discovery.list();
  assert.deepEqual([printer?.name, printer?.scope, printer?.source], ["printer", "yard", "plain"]);
  await until(node, ([agent]) => agent?.offlineSinceMs !== undefined);
  const decisions = await node.decisions.list({ limit: 10 });
  assert.deepEqual(
    decisions.map(({ act }) => act),
    ["agent.offline"],
  );
});

test("a way that cannot be opened is told, and opened when it can be", async () => {
  const taken = createSocket("udp4");
  taken.bind(0, "127.0.0.1");
  await once(taken, "listening");
  const listen = `127.0.0.1:${taken.address().port}`;
  await using one = await startNode("one", {
    "discovery.multicast": "off",
    "discovery.seedsListen": listen,
  });
  const readSeeds = () => one.discovery.readWays().find(({ kind }) => kind === "seeds");
  assert.equal(readSeeds()?.state, "failed");
  one.registry.put(buildRecord("a", { name: "alpha" }));
  taken.close();
  await once(taken, "close");
  await using two = await startNode("two", {
    "discovery.multicast": "off",
    "discovery.seedsListen": "127.0.0.1:0",
    "discovery.seeds": listen,
  });
  await until(two, (agents) => agents.length === 1);
  assert.equal(readSeeds()?.state, "on");
  assert.equal(two.discovery.list()[0]?.source, "seeds");
});
