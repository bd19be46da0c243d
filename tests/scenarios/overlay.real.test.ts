// SPDX-License-Identifier: Apache-2.0
// Networks that span hosts, on three real engines and a real etcd: packets of full size cross, and nothing else does.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { NetworkView, PathView } from "@fairlead/protocol/network.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { Engine } from "#engine/engine.ts";
import { openEngine } from "#engine/open.ts";
import { startEtcd } from "#lab/etcd.ts";
import { startHosts, type LabHosts } from "#lab/hosts.ts";
import { importBusybox } from "#lab/images.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { runInNamespace } from "#lab/run-program.ts";
import { createSystemClock } from "#node/system-clock.ts";
import { startHostNode, type HostNode } from "#lab/host-node.ts";

const PATIENCE_MS = 30_000;
const NETWORK = "shop_default";
const DEVICE = "flv100000";
/** What the way to the third host carries, and the network then. */
const PATH_MTU = 1400;
const MTU = PATH_MTU - 50;
const HEADERS = { 4: 28, 6: 48 } as const;
const compose = (replicas: number): string => `
name: shop
services:
  web:
    image: ${IMAGE}
    command: ["sleep", "1000"]
    stop_signal: SIGKILL
    deploy: { replicas: ${replicas}, placement: { max_replicas_per_node: 1 } }
networks:
  default: { driver: vxlan, enable_ipv6: true }
`;

/** A host with its node, its engine and its one instance. */
interface Place {
  readonly node: HostNode;
  readonly engine: Engine;
  container: string;
  addresses: readonly string[];
}

const stack = new AsyncDisposableStack();
let lab: LabHosts;
const places: Place[] = [];

function place(index: number): Place {
  const found = places[index];
  assert.ok(found !== undefined);
  return found;
}

/** How many of three packets of full size come back. */
async function ping(from: Place, address: string, family: 4 | 6, count = 3): Promise<number> {
  const size = String(MTU - HEADERS[family]);
  const command = ["ping", `-${family}`, "-q", "-c", String(count), "-i", "0.05", "-W", "1"];
  const { stdout } = await from.engine.exec(from.container, [...command, "-s", size, address], {
    decision: "test",
  });
  return Number(/(\d+) packets received/.exec(stdout)?.[1] ?? 0);
}

const run = (at: Place, ...[program, ...args]: [string, ...string[]]): string =>
  runInNamespace(at.node.host.netns, program, args);

const entriesOf = (at: Place): string => run(at, "bridge", "fdb", "show", "dev", DEVICE);

/** VXLAN packets that the switch has carried to the third host. */
function countToThird(): number {
  const rules = runInNamespace(`${lab.tag}-sw`, "nft", ["list", "chain", "bridge", "watch", "to"]);
  return Number(/packets (\d+)/.exec(rules)?.[1]);
}

async function look(at: Place): Promise<NetworkView | undefined> {
  const { body } = await at.node.ask<{ items: readonly NetworkView[] }>("networks");
  return body.items.find(({ name }) => name === NETWORK);
}

async function findInstance({ engine }: Place): Promise<InstanceFact | undefined> {
  return (await engine.listInstances()).find(({ scope }) => scope === "shop");
}

async function up(replicas: number): Promise<void> {
  const { node } = place(0);
  const { code, stdout, stderr } = await node.cli("up", "-f", node.file(compose(replicas)));
  assert.equal(code, 0, `${stdout}${stderr}${node.readLog()}`);
}

before(async () => {
  lab = stack.use(await startHosts(3));
  const [first] = lab.hosts;
  assert.ok(first !== undefined);
  const etcd = stack.use(await startEtcd({ hosts: [first] }));
  const rules =
    "add table bridge watch; add chain bridge watch to { type filter hook forward priority 0; }; " +
    `add rule bridge watch to oifname "h3" ip protocol udp ip length > ${PATH_MTU} drop; ` +
    'add rule bridge watch to oifname "h3" ip protocol udp udp dport 4789 counter';
  runInNamespace(`${lab.tag}-sw`, "nft", [rules]);
  const clock = createSystemClock();
  const started = await Promise.all(
    lab.hosts.map(async (host) => {
      const [node] = await Promise.all([
        startHostNode(host, {
          FAIRLEAD_STORE_ENDPOINTS: etcd.endpoints.join(","),
          FAIRLEAD_FLEET_NAME: "harbour",
        }),
        importBusybox(host, IMAGE),
      ]);
      const options = { endpoint: host.endpoint, env: {} };
      return { node, engine: openEngine(options, { clock, random: Math.random }) };
    }),
  );
  for (const { node, engine } of started) {
    stack.use(engine);
    stack.use(node);
    places.push({ node, engine, container: "", addresses: [] });
  }
  for (const { node } of places)
    await until("the ways to both other hosts are measured", PATIENCE_MS, async () => {
      const { body } = await node.ask<{ items: readonly PathView[] }>("paths");
      return body.items.filter(({ mtu }) => mtu !== undefined).length === 2;
    });
});
after(() => stack.disposeAsync());

test("a service on three hosts is on one network, with a range for each", async () => {
  await up(3);
  for (const at of places) {
    const instance = await findInstance(at);
    assert.ok(instance !== undefined);
    at.container = instance.id;
    at.addresses = instance.endpoints?.[NETWORK]?.addresses ?? [];
  }
  for (const at of places)
    await until("every host knows all instances", PATIENCE_MS, async () => {
      const view = await look(at);
      return view?.hosts.filter(({ instances }) => instances.length === 1).length === 3;
    });
  const views = await Promise.all(places.map(look));
  assert.deepEqual(new Set(views.map((view) => view?.state)), new Set(["joined"]));
  const ranges = views[0]?.hosts.flatMap((host) => host.ranges) ?? [];
  assert.equal(new Set(ranges).size, 6);
  const shown = await place(0).node.cli("net", "ls");
  assert.match(
    shown.stdout,
    /^shop_default +joined +3 +3 +1350 +10\.128\.0\.0\/18 fd66:6c76::\/64/m,
  );
  const inspected = await place(0).node.cli("net", "inspect", NETWORK);
  for (const { addresses } of places)
    assert.ok(inspected.stdout.includes(addresses.join(" ")), inspected.stdout);
});

test("a black hole on the way to a host is found, named, and the network made to fit", async () => {
  const { code, stdout } = await place(0).node.cli("net", "doctor");
  assert.equal(code, 1);
  assert.match(stdout, /FL0870 path-black-hole +h1 -> h3\n +packets of up to 1400 bytes arrive/);
  assert.match(stdout, /^network .*shop_default joined, 3 hosts, 1350 bytes/m);
  assert.match(stdout, /^path .*h1 -> h2 1500 bytes/m);
});

test("packets of full size cross, by IPv4 and IPv6, and no others", async () => {
  const [a, b] = [place(0), place(1)];
  const [v4 = "", v6 = ""] = b.addresses;
  const before = countToThird();
  assert.equal(await ping(a, v4, 4), 3);
  assert.equal(await ping(a, v6, 6), 3);
  assert.equal(await ping(b, a.addresses[0] ?? "", 4), 3);
  // Nobody has these: who asks for them is heard on his own host only.
  const nobody = [
    ["10.128.1.200", 4],
    ["10.128.2.200", 4],
    ["fd66:6c76::2:0:0:99", 6],
  ] as const;
  const answers = await Promise.all(nobody.map(([address, family]) => ping(a, address, family, 1)));
  assert.deepEqual(answers, [0, 0, 0]);
  assert.equal(countToThird(), before, "the third host is sent nothing");
  for (const [index, family] of [[0, 4] as const, [1, 6] as const])
    assert.equal(await ping(a, place(2).addresses[index] ?? "", family), 3);
  assert.ok(countToThird() > before, "and what is counted are these packets");
});

test("without its entry nothing crosses, and it is put back", async () => {
  const [a, b] = [place(0), place(1)];
  const [address = ""] = b.addresses;
  const mac = /lladdr (\S+)/.exec(run(a, "ip", "neigh", "show", address, "dev", DEVICE))?.[1] ?? "";
  const line = ["dev", DEVICE, "dst", b.node.host.ip, "self"];
  run(a, "bridge", "fdb", "del", mac, ...line);
  run(a, "bridge", "fdb", "add", "00:00:00:00:00:00", "dev", DEVICE, "dst", place(2).node.host.ip);
  await until("the entry is there again", PATIENCE_MS, () => entriesOf(a).includes(`${mac} dst`));
  assert.ok(!entriesOf(a).includes("00:00:00:00:00:00"), "what floods is gone");
  assert.equal(await ping(a, address, 4), 3);
  const { body } = await a.node.ask<{ items: readonly Decision[] }>(
    `decisions?node=${a.node.host.name}`,
  );
  const acts = body.items.map(({ act }) => act);
  assert.ok(acts.includes("network.repair") && acts.includes("network.join"), acts.join(" "));
});

test("an instance that goes takes its entries with it, and the network its devices", async () => {
  await up(2);
  let found: readonly (InstanceFact | undefined)[] = [];
  await until("one of the three is gone", PATIENCE_MS, async () => {
    found = await Promise.all(places.map(findInstance));
    return found.includes(undefined);
  });
  const stays = places.filter((_, index) => found[index] !== undefined);
  const [gone] = places.filter((_, index) => found[index] === undefined);
  const [a] = stays;
  assert.ok(gone !== undefined && a !== undefined && stays.length === 2);
  const [address = ""] = gone.addresses;
  await until("its entries are gone", PATIENCE_MS, () => !entriesOf(a).includes(gone.node.host.ip));
  assert.equal(run(a, "ip", "neigh", "show", address, "dev", DEVICE), "");
  assert.equal(await ping(a, address, 4, 1), 0);
  const down = await place(1).node.cli("down", "-p", "shop");
  assert.equal(down.code, 0, down.stderr);
  for (const at of places)
    await until("the device is gone", PATIENCE_MS, () => {
      const links = run(at, "ip", "-br", "link");
      return !links.includes("flv") && !links.includes("flb");
    });
});
