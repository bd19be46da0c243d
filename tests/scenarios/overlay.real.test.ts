// SPDX-License-Identifier: Apache-2.0
// Networks that span hosts, on three real engines and a real etcd: packets of full size cross, and nothing else does; those of
// an encrypted network are never seen in clear. Names and agents of all hosts are found on each.
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { NetworkView } from "@fairlead/protocol/network.ts";
import { contract, join as joinFabric, rpc, type Agent } from "@fairlead/sdk";
import { z } from "zod";
import { until } from "#lab/rig.ts";
import { runInNamespace } from "#lab/run-program.ts";
import type { InstanceFact } from "#model/facts.ts";
import {
  PATIENCE_MS,
  NETWORK,
  SECRET,
  DEVICE,
  SECRET_MTU,
  compose,
  type Place,
  type OverlayRig,
  openOverlayRig,
  ping,
  run,
  entriesOf,
  look,
  findInstance,
  capture,
  shell,
  say,
  nameOfTunnel,
  lookUp,
  addressesOf,
  startAgent,
} from "./overlay-rig.ts";

const stack = new AsyncDisposableStack();
let rig: OverlayRig;

function place(index: number): Place {
  const found = rig.places[index];
  assert.ok(found !== undefined);
  return found;
}

/** VXLAN packets that the switch has carried to the third host. */
function countToThird(): number {
  const rules = runInNamespace(`${rig.lab.tag}-sw`, "nft", [
    "list",
    "chain",
    "bridge",
    "watch",
    "to",
  ]);
  return Number(/packets (\d+)/.exec(rules)?.[1]);
}

async function up(replicas: number): Promise<void> {
  const { node } = place(0);
  const { code, stdout, stderr } = await node.cli("up", "-f", node.file(compose(replicas)));
  assert.equal(code, 0, `${stdout}${stderr}${node.readLog()}`);
}

before(async () => {
  rig = await openOverlayRig(stack);
});
after(() => stack.disposeAsync());

test("a service on three hosts is on one network, with a range for each", async () => {
  await up(3);
  for (const at of rig.places) {
    const instance = await findInstance(at);
    assert.ok(instance !== undefined);
    at.container = instance.id;
    at.addresses = instance.endpoints?.[NETWORK]?.addresses ?? [];
    at.secret = instance.endpoints?.[SECRET]?.addresses[0] ?? "";
  }
  for (const at of rig.places)
    await until("every host knows all instances", PATIENCE_MS, async () => {
      const view = await look(at);
      return view?.hosts.filter(({ instances }) => instances.length === 1).length === 3;
    });
  const views = await Promise.all(rig.places.map(look));
  assert.deepEqual(new Set(views.map((view) => view?.state)), new Set(["joined"]));
  const ranges = views[0]?.hosts.flatMap((host) => host.ranges) ?? [];
  assert.equal(new Set(ranges).size, 6);
  const shown = await place(0).node.cli("net", "ls");
  assert.match(
    shown.stdout,
    /^shop_default +joined +3 +3 +1350 +no +10\.128\.0\.0\/18 fd66:6c76::\/64/m,
  );
  const inspected = await place(0).node.cli("net", "inspect", NETWORK);
  for (const { addresses } of rig.places)
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
  await until(
    "what floods is gone",
    PATIENCE_MS,
    () => !entriesOf(a).includes("00:00:00:00:00:00"),
  );
  assert.equal(await ping(a, address, 4), 3);
  const { body } = await a.node.ask<{ items: readonly Decision[] }>(
    `decisions?node=${a.node.host.name}`,
  );
  const acts = body.items.map(({ act }) => act);
  assert.ok(acts.includes("network.repair") && acts.includes("network.join"), acts.join(" "));
});

test("what an encrypted network carries is never seen in clear", async () => {
  const [a, b] = [place(0), place(1)];
  await shell(b, "busybox nc -ll -p 7000 -e /bin/busybox cat >/dev/null 2>&1 &");
  await using seen = await capture(rig.lab);
  await say(a, b.secret, "SECRET-WORD");
  // What is sent last and in clear is seen: then so were all before it.
  await say(a, b.addresses[0] ?? "", "PLAIN-WORD");
  await until("what goes in clear is seen", PATIENCE_MS, () => seen.has("PLAIN-WORD"));
  assert.equal(seen.has("SECRET-WORD"), false);
  assert.equal(await ping(a, b.secret, 4, 3, SECRET_MTU), 3, "packets of full size cross");
  const { stdout } = await a.node.cli("net", "inspect", SECRET);
  assert.match(stdout, /^encrypted  yes/m);
  const rules = run(a, "nft", "list", "table", "inet", "fairlead_overlay");
  for (const at of rig.places) assert.ok(rules.includes(at.node.host.ip), rules);
  // While the roll is not known for certain hosts are called by their ids, which begin alike.
  assert.match(stdout, /h1\S* .*\(this\) +key .*, encrypts by (kernel|wireguard-go)/);
  assert.match(stdout, /h2\S* .*key .* agreed /);
});

test("what instances say goes past the bridges, encrypted or not", async () => {
  const [a, b] = [place(0), place(1)];
  for (const at of [a, b])
    for (const name of [NETWORK, SECRET])
      await until("they are ready", PATIENCE_MS, async () => {
        const { stdout } = await at.node.cli("net", "inspect", name);
        return /^shortcut +past the bridge for 1 instance$/m.test(stdout);
      });
  const countPast = (at: Place): number => {
    const text = run(at, "nft", "list", "counter", "netdev", "fairlead", "out");
    return Number(/packets (\d+)/.exec(text)?.[1]);
  };
  for (const address of [b.secret, ...b.addresses]) {
    const before = [a, b].map(countPast);
    await say(a, address, "ANY-WORD");
    for (const [index, at] of [a, b].entries())
      assert.ok(countPast(at) > (before[index] ?? 0), `${at.node.host.name} ${address}`);
  }
});

test("without the device that encrypts nothing goes in clear, and it is made again", async () => {
  const [a, b] = [place(0), place(1)];
  await using seen = await capture(rig.lab);
  const pinging = shell(a, `ping -c 40 -i 0.05 -p 5a -s 200 ${b.secret}`);
  run(a, "ip", "link", "del", nameOfTunnel(a));
  await pinging;
  await until("it is there again", PATIENCE_MS, async () => (await ping(a, b.secret, 4, 1)) === 1);
  await shell(a, `ping -c 1 -p 59 -s 200 ${b.addresses[0] ?? ""}`);
  await until("what goes in clear is seen", PATIENCE_MS, () => seen.has("Y".repeat(100)));
  assert.equal(seen.has("Z".repeat(100)), false);
  const { body } = await a.node.ask<{ items: readonly Decision[] }>("decisions");
  assert.ok(
    body.items.some(({ act, object }) => act === "network.repair" && object.startsWith("flw")),
  );
});

test("all hosts change their keys, and what is connected stays so", async () => {
  const [a, b] = [place(0), place(1)];
  const keysOf = async (): Promise<readonly string[]> => {
    const { body } = await a.node.ask<{ items: readonly NetworkView[] }>("networks");
    const hosts = body.items.find(({ name }) => name === SECRET)?.hosts ?? [];
    return hosts.map(({ tunnel }) => tunnel?.publicKey ?? "");
  };
  const before = await keysOf();
  const file = join(b.node.stateDir, "tunnel-key");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const secret = readFileSync(file, "utf8");
  const script = `rm -f /stop; (i=0; while [ ! -e /stop ]; do echo $i; i=$((i+1)); sleep 0.1; done; echo end) | busybox nc ${b.secret} 7000`;
  const talking = shell(a, script);
  const { stdout, code } = await a.node.cli("net", "rotate", "--reason", "a test");
  assert.equal(code, 0);
  assert.match(stdout, /^3 hosts change their keys/);
  await until("every key is another", PATIENCE_MS, async () => {
    const now = await keysOf();
    return now.length === 3 && now.every((key) => key !== "" && !before.includes(key));
  });
  for (const at of [a, b])
    await until(
      "packets of full size cross",
      PATIENCE_MS,
      async () => (await ping(at, (at === a ? b : a).secret, 4, 3, SECRET_MTU)) === 3,
    );
  await shell(a, "touch /stop");
  const said = (await talking).stdout.trim().split("\n");
  const numbers = said.slice(0, -1).map(Number);
  assert.equal(said.at(-1), "end", "the connection has lived to its end");
  assert.deepEqual(numbers, [...numbers.keys()], "and nothing of it was lost");
  assert.notEqual(readFileSync(file, "utf8"), secret);
});

test("names of a service are found on every host, with the instances of all", async () => {
  const all = addressesOf(...rig.places);
  for (const at of rig.places)
    await until("all instances are named", PATIENCE_MS, async () =>
      isDeepStrictEqual(await lookUp(at, "web.shop"), all),
    );
});

const TEXT_BYTES = 4_096;
const CALLS = 100;

/** Bytes that the switch has carried between nodes, and of networks that span hosts, since they are counted. */
function readBytes(): { readonly nodes: number; readonly networks: number } {
  const rules = runInNamespace(rig.lab.switchNetns, "nft", ["list", "table", "bridge", "talk"]);
  const bytes = [...rules.matchAll(/bytes (\d+)/g)].map(([, count]) => Number(count));
  assert.equal(bytes.length, 4);
  const [dialled = 0, answered = 0, plain = 0, encrypted = 0] = bytes;
  return { nodes: dialled + answered, networks: plain + encrypted };
}

test("agents on one network of two hosts talk past their nodes, and through them while that network is cut", async () => {
  const [a, c] = [place(0), place(2)];
  const nft = (...script: string[]) =>
    runInNamespace(rig.lab.switchNetns, "nft", [script.join("; ")]);
  const counted = ["tcp dport 7120", "tcp sport 7120", "udp dport 4789", "udp dport 51820"];
  nft(
    "add table bridge talk; add chain bridge talk by { type filter hook forward priority 0; }",
    ...counted.map(
      (what) => `add rule bridge talk by ip protocol ${what.slice(0, 3)} ${what} counter`,
    ),
  );
  await using _server = await startAgent(c, "server", "echo-agent.ts");
  await using caller = await startAgent(a, "caller", "direct-caller.ts", {
    PEER: "server",
    TEXT_BYTES: String(TEXT_BYTES),
  });
  // As it was compressed.
  const sizeBytes = (CALLS * TEXT_BYTES) / 2;
  await until(
    "the way is found",
    PATIENCE_MS,
    async () => (await caller.ask("1")) === "answered 1",
  );
  /** What so many calls were carried by. */
  const call = async () => {
    const before = readBytes();
    const isWhole = (await caller.ask(String(CALLS))) === `answered ${CALLS}`;
    const after = readBytes();
    const [nodes, networks] = [after.nodes - before.nodes, after.networks - before.networks];
    return {
      isDirect: isWhole && networks > sizeBytes && nodes < sizeBytes / 4,
      isRelayed: isWhole && nodes > sizeBytes,
    };
  };
  // A call that is under way while the way changes may fail, and one while a busy host is suspected.
  await until("they talk past their nodes", PATIENCE_MS, async () => (await call()).isDirect);

  nft(
    "add table bridge cut; add chain bridge cut by { type filter hook forward priority -1; }",
    "add rule bridge cut by ip protocol udp udp dport { 4789, 51820 } drop",
  );
  try {
    await until("they talk through them", PATIENCE_MS, async () => (await call()).isRelayed);
  } finally {
    nft("delete table bridge cut");
  }
  await until("they talk past their nodes again", PATIENCE_MS, async () => (await call()).isDirect);
  nft("delete table bridge talk");
});

const research = contract("research", "1.0.0", {
  summarize: rpc({ in: z.object({ url: z.string() }), out: z.object({ text: z.string() }) }),
});

function joinAt(at: Place, name: string, skills: string[] = []): Promise<Agent> {
  const options = { name, kind: "agent", scope: "talk", skills, listen: false } as const;
  return joinFabric({ ...options, node: at.node.fabric });
}

/** How those that can read are known to an agent. */
async function drawReaders(agent: Agent): Promise<string> {
  const found = await agent.find({ skill: "read" });
  return found
    .map(({ name, node, healthy }) => `${name}@${node} ${healthy ? "well" : "ill"}`)
    .join();
}

test("agents on two hosts find, call and hear each other; a host that is cut off is named to nobody", async () => {
  const [a, b, c] = [place(0), place(1), place(2)];
  await using server = await joinAt(c, "researcher", ["read"]);
  await server.serve(research, {
    summarize: async ({ url }, { caller }) => ({ text: `${url} for ${caller.name}` }),
  });
  const heard = Promise.withResolvers<unknown>();
  server.hear("orders.*", ({ data }) => heard.resolve(data));
  await using boss = await joinAt(a, "boss");
  const isKnown = (as: string) => async () => (await drawReaders(boss)) === `researcher@h3 ${as}`;
  await until("it is found", PATIENCE_MS, isKnown("well"));
  assert.equal((await boss.client(research).summarize({ url: "x" })).text, "x for boss");
  await until("it hears", PATIENCE_MS, async () => (await boss.reach("orders.new")) === 1);
  await boss.emit("orders.new", { id: 7 });
  assert.deepEqual(await heard.promise, { id: 7 });
  await until("the third host lists both", PATIENCE_MS, async () => {
    const { stdout } = await b.node.cli("agents", "--scope", "talk");
    return /^boss .* h1 /m.test(stdout) && /^researcher .* h3 /m.test(stdout);
  });

  c.node.host.cutOff();
  try {
    const others = addressesOf(a, b);
    await until("nobody calls it", PATIENCE_MS, isKnown("ill"));
    await until("it is in no answer", PATIENCE_MS, async () =>
      isDeepStrictEqual(await lookUp(a, "web.shop"), others),
    );
  } finally {
    c.node.host.rejoin();
  }
  await until("it is back", PATIENCE_MS, isKnown("well"));
  assert.equal((await boss.client(research).summarize({ url: "y" })).text, "y for boss");
  await until("all are named again", PATIENCE_MS, async () =>
    isDeepStrictEqual(await lookUp(a, "web.shop"), addressesOf(...rig.places)),
  );
});

test("an instance that goes takes its entries with it, and the network its devices", async () => {
  await up(2);
  let found: readonly (InstanceFact | undefined)[] = [];
  await until("one of the three is gone", PATIENCE_MS, async () => {
    found = await Promise.all(rig.places.map(findInstance));
    return found.includes(undefined);
  });
  const stays = rig.places.filter((_, index) => found[index] !== undefined);
  const [gone] = rig.places.filter((_, index) => found[index] === undefined);
  const [a] = stays;
  assert.ok(gone !== undefined && a !== undefined && stays.length === 2);
  const [address = ""] = gone.addresses;
  await until("its entries are gone", PATIENCE_MS, () => !entriesOf(a).includes(gone.node.host.ip));
  const neighbours = (): string => run(a, "ip", "neigh", "show", address, "dev", DEVICE);
  await until("nobody answers for it", PATIENCE_MS, () => neighbours() === "");
  assert.equal(await ping(a, address, 4, 1), 0);
  const down = await place(1).node.cli("down", "-p", "shop");
  assert.equal(down.code, 0, down.stderr);
  for (const at of rig.places)
    await until("the device is gone", PATIENCE_MS, () => {
      const links = run(at, "ip", "-br", "link");
      return !/flv|flb|flw/.test(links);
    });
  for (const at of rig.places)
    await until("no rules are left of it", PATIENCE_MS, () => {
      const tables = run(at, "nft", "list", "tables");
      return !/netdev fairlead|fairlead_overlay/.test(tables);
    });
});
