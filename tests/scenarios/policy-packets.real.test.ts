// SPDX-License-Identifier: Apache-2.0
// Policies held against real packets between real containers on one host: the recipes as a truth table, and random policies.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { advertise, arp, ethernet, fragment, icmp6, udp4, udp6, vlan } from "#lab/frames.ts";
import { startPackets } from "#lab/packets.ts";
import { IMAGE, openRig, until, type Rig } from "#lab/rig.ts";
import { runInNamespace, runProgram } from "#lab/run-program.ts";
import { sendAs } from "#lab/send-as.ts";
import { arbitraryPolicy } from "#policy/testing/arbitrary-policies.ts";
import type { Cluster, ManifestRule } from "#policy/testing/oracle.ts";
import {
  createDeclarer,
  expectOf,
  makePods,
  OUTSIDE,
  probeCases,
  readRecipe,
  RECIPES,
  SERVED,
  type Case,
  type WorldPod,
} from "./policy-worlds.ts";

/** Random sets of policies that are probed, and packets for each. */
const WORLDS = Number(process.env["FAIRLEAD_POLICY_PACKETS"] ?? 4);
const PACKETS = 60;
const NETWORK = "packets";
/** So many addresses are handed on at once. */
const HEIRS = 4;
/** After so long an heir has to be able to do all that is his. */
const LATE_S = 0.5;

const docker = (...args: string[]): string =>
  runProgram("docker", ["-H", rig.lab.endpoint, ...args]);

const packets = startPackets();
let rig: Rig;
let pods: readonly WorldPod[] = [];
let declare: ReturnType<typeof createDeclarer>;

before(async () => {
  rig = await openRig({ inside: true });
  await rig.startNode();
  const { endpoint, netns } = rig.lab;
  const subnets = ["--subnet", "10.92.0.0/24", "--ipv6", "--subnet", "fd00:92::/64"];
  docker("network", "create", ...subnets, NETWORK);
  runInNamespace(netns, "ip", ["address", "add", `${OUTSIDE.addresses[4]}/32`, "dev", "lo"]);
  runInNamespace(netns, "ip", [
    "address",
    "add",
    `${OUTSIDE.addresses[6]}/128`,
    "dev",
    "lo",
    "nodad",
  ]);
  await packets.open(OUTSIDE.name, `/run/netns/${netns}`);
  await packets.serve(OUTSIDE.name, SERVED, Object.values(OUTSIDE.addresses));
  pods = await makePods([{ endpoint }], { network: NETWORK, image: IMAGE, packets });
  declare = createDeclarer((path, options) => rig.ask(path, options));
});
after(async () => {
  await packets[Symbol.asyncDispose]();
  await rig?.[Symbol.asyncDispose]();
});

async function check(cluster: Cluster, cases: readonly Case[], world: string): Promise<void> {
  await declare(cluster, world);
  const wrong = await probeCases(cluster, cases, packets);
  if (wrong.length === 0) return;
  const again = await probeCases(cluster, cases, packets);
  const { stderr } = await rig.cli(["policy", "ls"]);
  assert.fail(`${world}: ${wrong.join(", ")}; then: ${again.join(", ") || "none"}; ${stderr}`);
}

describe("the recipes, by packets of TCP and UDP over IPv4 and IPv6", () => {
  for (const recipe of RECIPES)
    test(`${recipe.id}: ${recipe.title}`, async () => {
      const { cluster, cases } = readRecipe(recipe, pods);
      await check(cluster, cases, recipe.id);
    });
});

test(`packets are judged as the second evaluator says, for ${WORLDS} random sets of policies`, async () => {
  const policy = arbitraryPolicy({
    scopes: ["default", "secondary", "other"],
    keys: ["app", "role", "type"],
    values: ["web", "bookstore", "monitoring", "api", "frontend"],
    blocks: [
      { cidr: "10.92.0.0/24", except: ["10.92.0.0/28"] },
      { cidr: "10.92.0.0/28", except: ["10.92.0.4/30"] },
      { cidr: "0.0.0.0/0", except: ["10.92.0.8/29"] },
      { cidr: "203.0.113.0/24" },
      { cidr: "fd00:92::/64", except: ["fd00:92::/124"] },
      { cidr: "::/0" },
    ],
  });
  const ends = fc.constantFrom(...pods, OUTSIDE);
  const anyCase: fc.Arbitrary<Case> = fc
    .record({
      from: ends,
      to: ends,
      protocol: fc.constantFrom("TCP" as const, "UDP" as const),
      port: fc.constantFrom(53, 80, 85, 91, 443, 8080),
      family: fc.constantFrom(4 as const, 6 as const),
    })
    .filter(({ from, to }) => from !== to);
  const anyWorld = fc.record({
    policies: fc.array(policy, { minLength: 1, maxLength: 5 }),
    cases: fc.array(anyCase, { minLength: PACKETS, maxLength: PACKETS }),
  });
  const seed = Number(process.env["FAIRLEAD_POLICY_SEED"] ?? 7);
  let allowed = 0;
  for (const [index, { policies, cases }] of fc
    .sample(anyWorld, { numRuns: WORLDS, seed })
    .entries()) {
    const cluster = { namespaces: { other: { app: "web" } }, policies };
    allowed += cases.filter((one) => expectOf(cluster, one)).length;
    await check(cluster, cases, `random-${index}`);
  }
  assert.ok(allowed > 0 && allowed < WORLDS * PACKETS, `${allowed} allowed`);
});

/** A pod as frames know it. */
interface End extends WorldPod {
  readonly mac: string;
  /** Enters its namespace, as whoever has NET_ADMIN there. */
  inside(program: string, ...args: string[]): string;
}

function findEnd(namespace: string, label: string): End {
  const pod = pods.find((one) => one.namespace === namespace && one.labels["app"] === label);
  assert.ok(pod !== undefined, label);
  const format = "{{.State.Pid}} {{range .NetworkSettings.Networks}}{{.MacAddress}}{{end}}";
  const [pid = "", mac = ""] = docker("inspect", "-f", format, pod.name).trim().split(" ");
  const inside = (program: string, ...args: string[]): string =>
    runProgram("nsenter", [`--net=/proc/${pid}/ns/net`, program, ...args]);
  return { ...pod, mac, inside };
}

/** `web` may be called by `foo`, and by nobody else. */
const ONLY_FOO: Cluster = {
  namespaces: {},
  policies: [
    {
      metadata: { name: "p", namespace: "default" },
      spec: {
        podSelector: { matchLabels: { app: "web" } },
        ingress: [{ from: [{ podSelector: { matchLabels: { app: "foo" } } }] }],
      },
    },
  ],
};

test("nobody sends as another, whatever he may do in his own network", async () => {
  const [web, foo, attacker] = [
    findEnd("default", "web"),
    findEnd("default", "foo"),
    findEnd("default", "other"),
  ];
  await declare(ONLY_FOO, "spoof");
  const needle = Buffer.from(randomBytes(12));
  const arrived = await packets.watch(web.name, "eth0", needle);
  const send = (frame: Buffer): Promise<void> => packets.send(attacker.name, "eth0", [frame]);
  const [a4, a6] = [attacker.addresses[4], attacker.addresses[6]];
  const [f4, f6] = [foo.addresses[4], foo.addresses[6]];
  const link = { from: attacker.mac, to: web.mac };
  const forged = { from: foo.mac, to: web.mac };
  const data = { port: 53, payload: needle };
  await send(udp4(link, { from: a4, to: web.addresses[4], ...data }));
  await send(udp6(link, { from: a6, to: web.addresses[6], ...data }));
  await until("what is his own comes to the other's device", 10_000, async () => {
    return (await arrived()) === 2;
  });
  const frames: Readonly<Record<string, Buffer>> = {
    "another's IPv4 address": udp4(link, { from: f4, to: web.addresses[4], ...data }),
    "another's address and MAC": udp4(forged, { from: f4, to: web.addresses[4], ...data }),
    "another's MAC": udp4(forged, { from: a4, to: web.addresses[4], ...data }),
    "another's IPv6 address": udp6(link, { from: f6, to: web.addresses[6], ...data }),
    "an address of nobody": udp4(link, { from: "10.92.0.250", to: web.addresses[4], ...data }),
    "an address outside": udp4(link, { from: "203.0.113.9", to: web.addresses[4], ...data }),
    "ARP: another's address is here": arp(link, { sender: f4, target: web.addresses[4] }, needle),
    "ARP: another's MAC": arp(link, { sender: a4, target: web.addresses[4], mac: foo.mac }, needle),
    "neighbour advertisement of another's address": advertise(link, a6, f6, needle),
    "router advertisement": icmp6(link, { from: a6, to: web.addresses[6], type: 134 }, needle),
    redirect: icmp6(link, { from: a6, to: web.addresses[6], type: 137 }, needle),
    "no IP at all": ethernet(link, 0x88b5, needle),
    "in a VLAN, as another": ethernet(
      link,
      0x8100,
      vlan(udp4(link, { from: f4, to: web.addresses[4], ...data })),
    ),
  };
  for (const frame of Object.values(frames)) await send(frame);
  // What is sent last is his own again: when it is there, so is what was before it.
  await send(udp4(link, { from: a4, to: web.addresses[4], ...data }));
  await until("what was sent last is there", 10_000, async () => (await arrived()) >= 3);
  if ((await arrived()) !== 3) {
    const through: string[] = [];
    for (const [name, frame] of Object.entries(frames)) {
      const before = await arrived();
      await send(frame);
      await sleep(100);
      if ((await arrived()) !== before) through.push(name);
    }
    assert.deepEqual(through, []);
  }
});

test("who takes his own rules away, and takes another's address, gets nothing by it", async () => {
  const [web, foo, attacker] = [
    findEnd("default", "web"),
    findEnd("default", "foo"),
    findEnd("default", "other"),
  ];
  await declare(ONLY_FOO, "taken");
  attacker.inside("nft", "flush", "ruleset");
  attacker.inside("ip", "address", "add", `${foo.addresses[4]}/32`, "dev", "eth0");
  attacker.inside("ip", "address", "add", `${foo.addresses[6]}/128`, "dev", "eth0", "nodad");
  const probes = (["TCP", "UDP"] as const).flatMap((protocol) =>
    ([4, 6] as const).flatMap((family) => {
      const one = { address: web.addresses[family], protocol, port: 80 };
      const stolen = { source: foo.addresses[family], expect: false };
      return [
        { ...one, from: attacker.name, expect: false },
        { ...one, from: attacker.name, ...stolen },
        { ...one, from: foo.name, expect: true },
      ];
    }),
  );
  const answers = await packets.ask(probes);
  assert.deepEqual(
    answers,
    probes.map(({ expect }) => expect),
    "and who has it goes on",
  );
  for (const family of [4, 6] as const)
    attacker.inside(
      "ip",
      "address",
      "del",
      `${foo.addresses[family]}/${family === 4 ? 32 : 128}`,
      "dev",
      "eth0",
    );
});

test("what is denied does not come through in fragments", async () => {
  const [web, foo, attacker] = [
    findEnd("default", "web"),
    findEnd("default", "foo"),
    findEnd("default", "other"),
  ];
  await declare(ONLY_FOO, "parts");
  for (const [caller, expected] of [
    [attacker, false],
    [foo, true],
  ] as const) {
    const needle = Buffer.from(randomBytes(12));
    const answered = await packets.watch(caller.name, "eth0", needle);
    const link = { from: caller.mac, to: web.mac };
    const payload = Buffer.concat([Buffer.alloc(64), needle]);
    const way = { from: caller.addresses[4], to: web.addresses[4], port: 53, payload };
    await packets.send(caller.name, "eth0", fragment(udp4(link, way)));
    if (expected)
      await until("allowed parts are put together", 10_000, async () => (await answered()) > 0);
    else await sleep(500);
    assert.equal((await answered()) > 0, expected);
  }
});

test("ICMP is a protocol like the others, and a rule about IPv4 says nothing about IPv6", async () => {
  const [web, foo, other] = [
    findEnd("default", "web"),
    findEnd("default", "foo"),
    findEnd("default", "other"),
  ];
  const pings = ({ inside }: End, family: 4 | 6): boolean => {
    try {
      inside("busybox", "ping", "-q", "-c", "1", "-W", "1", web.addresses[family]);
      return true;
    } catch {
      return false;
    }
  };
  const only = (rule: ManifestRule): Cluster => ({
    namespaces: {},
    policies: [
      {
        metadata: { name: "p", namespace: "default" },
        spec: { podSelector: { matchLabels: { app: "web" } }, ingress: [rule] },
      },
    ],
  });
  await declare(
    only({
      from: [{ podSelector: { matchLabels: { app: "foo" } } }],
      ports: [{ protocol: "ICMP" }],
    }),
    "pings",
  );
  for (const family of [4, 6] as const) {
    const tcp = {
      address: web.addresses[family],
      protocol: "TCP",
      port: 80,
      expect: false,
    } as const;
    assert.deepEqual([pings(foo, family), pings(other, family)], [true, false]);
    assert.deepEqual(await packets.ask([{ ...tcp, from: foo.name }]), [false]);
  }
  await declare(only({ from: [{ ipBlock: { cidr: "0.0.0.0/0" } }] }), "blocks4");
  assert.deepEqual([pings(foo, 4), pings(foo, 6)], [true, false]);
  await declare(only({ from: [{ ipBlock: { cidr: "::/0" } }] }), "blocks6");
  assert.deepEqual([pings(foo, 4), pings(foo, 6)], [false, true]);
});

/** Makes one more of a service that `ONLY_FOO` selects, and answers there. */
async function addWeb(name: string, ...words: readonly string[]): Promise<string> {
  const labels = [
    "app=web",
    "com.docker.compose.project=default",
    `com.docker.compose.service=${name}`,
  ];
  const marks = labels.flatMap((label) => ["--label", label]);
  docker("run", "-d", "--init", "--name", name, ...marks, ...words, IMAGE, "sleep", "1000");
  const format = "{{.State.Pid}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
  const [pid = "", address = ""] = docker("inspect", "-f", format, name).trim().split(" ");
  await packets.open(name, `/proc/${pid}/ns/net`);
  if (!words.includes("host")) await packets.serve(name, SERVED);
  return address;
}

/** One conversation that the heir of an address has tried; times in seconds after its first instruction. */
interface Ask {
  readonly isOpen: boolean;
  readonly beganS: number;
  readonly endedS: number;
}

/** Makes somebody with the n-th of some addresses, who calls `web` over both families from its first instruction on. */
function startHeir(n: number, app: string, patienceS: number): string {
  const name = `heir-${n}`;
  const labels = [`app=${app}`, "com.docker.compose.project=default"];
  const marks = [...labels, "com.docker.compose.service=heir"].flatMap((one) => ["--label", one]);
  const place = [
    "--network",
    NETWORK,
    "--ip",
    `10.92.0.${200 + n}`,
    "--ip6",
    `fd00:92::${200 + n}`,
  ];
  const { addresses } = findEnd("default", "web");
  const program = `now() { cut -d" " -f1 /proc/uptime; }
    now
    ask() { t=$(now); nc -w ${patienceS} $1 80 </dev/null | grep -q . && r=open || r=shut; echo "$r $t $(now)"; }
    while true; do ask ${addresses[4]} & ask ${addresses[6]}; wait; sleep 0.1; done`;
  docker("run", "-d", "--name", name, ...marks, ...place, IMAGE, "sh", "-c", program);
  return name;
}

function listAsks(name: string): Ask[] {
  const [first = "", ...lines] = docker("logs", name).trim().split("\n");
  return lines.map((line) => {
    const [said, began, ended] = line.split(" ");
    const after = (text: string | undefined): number => Number(text) - Number(first);
    return { isOpen: said === "open", beganS: after(began), endedS: after(ended) };
  });
}

test("who gets an address that was another's may do what is his, and nothing of what the other might", async (context) => {
  const rounds = Number(process.env["FAIRLEAD_ADDRESS_REUSE"] ?? 1);
  await declare(ONLY_FOO, "heirs");
  const isLate = ({ beganS }: Ask): boolean => beganS >= LATE_S;
  const turn = async (count: number, app: string, patienceS: number): Promise<readonly Ask[][]> => {
    const names = Array.from({ length: count }, (_, n) => startHeir(n, app, patienceS));
    await until(
      "all have asked both for a second and more",
      30_000,
      () => names.every((name) => listAsks(name).filter(isLate).length > 1),
      100,
    );
    const asks = names.map(listAsks);
    docker("rm", "-f", ...names);
    return asks;
  };
  const firstS: number[] = [];
  let asked = 0;
  for (let left = rounds; left > 0; left -= HEIRS) {
    const count = Math.min(HEIRS, left);
    const allowed = await turn(count, "foo", 5);
    const denied = (await turn(count, "other", 1)).flat();
    const wrong = [
      ...denied.filter(({ isOpen }) => isOpen),
      ...allowed.flat().filter((one) => !one.isOpen && isLate(one)),
    ];
    assert.deepEqual(wrong, [], `after ${rounds - left} rounds`);
    for (const asks of allowed)
      firstS.push(Math.min(...asks.filter(({ isOpen }) => isOpen).map(({ endedS }) => endedS)));
    asked += denied.length;
  }
  const sorted = firstS.toSorted((a, b) => a - b);
  const at = (part: number): string =>
    `${sorted[Math.ceil(sorted.length * part) - 1]?.toFixed(2)} s`;
  context.diagnostic(`0 of ${asked} open; first answer p50 ${at(0.5)}, p99 ${at(0.99)}`);
});

/** Somebody without any policy on the network `wide`, who sends twice as another and then as himself. */
async function watchForged(web: string) {
  const place = ["--network", "wide", "--ip6", "fd00:93::77"];
  docker("run", "-d", "--init", "--name", "beside", ...place, IMAGE, "sleep", "1000");
  const format = "{{.State.Pid}}";
  const pid = docker("inspect", "-f", format, "beside").trim();
  const inside = (program: string, ...args: string[]): string =>
    runProgram("nsenter", [`--net=/proc/${pid}/ns/net`, program, ...args]);
  const own = "{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}";
  const to = docker("inspect", "-f", own, web).trim();
  const needle = randomBytes(12).toString("hex");
  const arrived = await packets.watch(web, "eth0", Buffer.from(needle));
  const ways = ["fd00:93::99", "2001:db8::1", "fd00:93::77"].map((from) => [from, to] as const);
  return {
    send: () => sendAs(inside, needle, ways),
    has: async (count: number) => (await arrived()) >= count,
  };
}

test("macvlan holds, and a container in the host's own network is said to be out of reach", async () => {
  runInNamespace(rig.lab.netns, "ip", ["link", "add", "wide0", "type", "veth", "peer", "wide1"]);
  for (const end of ["wide0", "wide1"])
    runInNamespace(rig.lab.netns, "ip", ["link", "set", end, "up"]);
  docker(
    "network",
    "create",
    "-d",
    "macvlan",
    "-o",
    "parent=wide0",
    "--subnet",
    "10.93.0.0/24",
    "--ipv6",
    "--subnet",
    "fd00:93::/64",
    "wide",
  );
  const [first, second] = [
    await addWeb("wide1", "--network", "wide"),
    await addWeb("wide2", "--network", "wide"),
  ];
  await addWeb("naked", "--network", "host");
  const calls = (expect: boolean) => [
    { from: "wide1", address: second, protocol: "TCP", port: 80, expect } as const,
    { from: "wide2", address: first, protocol: "UDP", port: 53, expect } as const,
  ];
  await declare({ namespaces: {}, policies: [] }, "wide-open");
  assert.deepEqual(await packets.ask(calls(true)), [true, true]);
  const beside = await watchForged("wide1");
  beside.send();
  await until("what is forged arrives where nothing is enforced", 10_000, () => beside.has(3));
  await declare(ONLY_FOO, "wide");
  assert.deepEqual(await packets.ask(calls(false)), [false, false]);
  beside.send();
  await until("only what is his own arrives", 10_000, () => beside.has(4));
  assert.ok(!(await beside.has(5)), "also from one whom no policy selects");
  const { addresses } = findEnd("default", "web");
  const asHost = { from: "naked", protocol: "TCP", port: 80, expect: false } as const;
  assert.deepEqual(
    await packets.ask(
      ([4, 6] as const).map((family) => ({ ...asHost, address: addresses[family] })),
    ),
    [false, false],
    "who shares the host's network calls as the host",
  );
  const { stdout } = await rig.cli(["policy", "ls", "--scope", "default"]);
  assert.match(stdout, /wide-0 .* \d+, 1 not enforced, 2 in part/);
  const shown = await rig.cli(["policy", "show", "default/wide-0"]);
  const asked = await rig.cli(["can", "naked", "web:80", "--scope", "default"]);
  assert.match(asked.stderr, /FL0764 .*naked lives in the host's own network/);
  assert.match(shown.stdout, /not enforced: naked in the host's own network \(FL1701\)/);
  assert.match(shown.stdout, /in part: wide[12] wide[12] on a network without a bridge/);
});
