// SPDX-License-Identifier: Apache-2.0
// The ways on which moby's own network tests reach a container (testdata/moby-network-cases.csv), with a policy on it: whichever
// a packet takes, it is judged as the policy says.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openPlainHosts, type LabHosts, type PlainHost } from "#lab/hosts.ts";
import { startPackets, type Probe } from "#lab/packets.ts";
import { IMAGE, openRig, until, type Rig } from "#lab/rig.ts";
import { runInNamespace, runProgram } from "#lab/run-program.ts";
import type { Cluster } from "#policy/testing/oracle.ts";
import { createDeclarer, SERVED } from "./policy-worlds.ts";

const TABLE = new URL("testdata/moby-network-cases.csv", import.meta.url);
/** What shows the cases that are no way to a container. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  N16: "tests/scenarios/policy.real.test.ts",
  N21: "tests/scenarios/policy.real.test.ts",
  N25: "tests/faults/network-cases.ts",
};
/** Nothing of this project's: the engine's own undoing of a failed connect, and a driver that Docker 20.10 does not have. */
const NOT_OURS = new Set(["N23", "N24"]);
const [HOST_V6, REMOTE_V6] = ["fd00:95::1", "fd00:95::2"];
const WEB = { v4: "10.92.0.80", v6: "fd00:92::80" };
const GATEWAY = "10.92.0.1";

/** Without the engine's proxy ports lead elsewhere than is written down here; a policy holds all the same. */
const HAS_PROXY = process.env["FAIRLEAD_PROXY"] !== "off";

type Verdict = "open" | "shut";

/** A way, and whether it is answered: without a policy, where `foo` may call `web`, and where `remote` may by its address. */
interface Way {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol?: Probe["protocol"];
  readonly was: Verdict;
  readonly only: Verdict;
  readonly remote?: Verdict;
}

const stack = new AsyncDisposableStack();
const packets = stack.use(startPackets());
let rig: Rig;
let host: PlainHost;
let remote: PlainHost;
let declare: ReturnType<typeof createDeclarer>;

const docker = (...args: string[]): string =>
  runProgram("docker", ["-H", rig.lab.endpoint, ...args]).trim();
const onHost = (program: string, ...args: string[]): string =>
  runInNamespace(host.netns, program, args);
const onRemote = (program: string, ...args: string[]): string =>
  runInNamespace(remote.netns, program, args);

/** `web` may be called by `foo`, and by nobody else but who has one of these addresses. */
function letIn(...blocks: readonly string[]): Cluster {
  const peers = blocks.map((cidr) => ({ ipBlock: { cidr } }));
  const from = [{ podSelector: { matchLabels: { app: "foo" } } }, ...peers];
  const spec = { podSelector: { matchLabels: { app: "web" } }, ingress: [{ from }] };
  return { namespaces: {}, policies: [{ metadata: { name: "p", namespace: "default" }, spec }] };
}

async function hold(name: string): Promise<void> {
  const pid = docker("inspect", "-f", "{{.State.Pid}}", name);
  await packets.open(name, `/proc/${pid}/ns/net`);
  await packets.serve(name, SERVED);
}

async function add(name: string, ...words: readonly string[]): Promise<void> {
  const labels = [`app=${name}`, "com.docker.compose.project=default"];
  const marks = [...labels, `com.docker.compose.service=${name}`].flatMap((one) => [
    "--label",
    one,
  ]);
  docker("run", "-d", "--init", "--name", name, ...marks, ...words, IMAGE, "sleep", "1000");
  await hold(name);
}

/** A machine beside the host that sends what is for containers straight to it, as whoever is on its network can. */
async function openRemote(): Promise<void> {
  for (const [run, address] of [
    [onHost, HOST_V6],
    [onRemote, REMOTE_V6],
  ] as const)
    run("ip", "address", "add", `${address}/64`, "dev", "eth0", "nodad");
  for (const to of ["10.92.0.0/24", "10.94.0.0/24"])
    onRemote("ip", "route", "add", to, "via", host.ip);
  onRemote("ip", "route", "add", "fd00:92::/64", "via", HOST_V6);
  onRemote("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1");
  onRemote("ip", "rule", "add", "pref", "1", "lookup", "local");
  onRemote("ip", "rule", "del", "pref", "0");
  onRemote("ip", "rule", "add", "pref", "0", "to", "127.0.0.1", "lookup", "7");
  onRemote("ip", "route", "add", "127.0.0.1", "via", host.ip, "src", remote.ip, "table", "7");
  onHost("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1");
  // The engine lets nobody route to containers; whose firewall does that, lets all.
  onHost("iptables", "-P", "FORWARD", "ACCEPT");
  await packets.open("remote", `/run/netns/${remote.netns}`);
  await packets.serve("remote", [["TCP", 80]]);
  await packets.open("host", `/run/netns/${host.netns}`);
}

before(async () => {
  const hosts: LabHosts<PlainHost> = stack.use(openPlainHosts(2));
  const [first, second] = hosts.hosts;
  assert.ok(first !== undefined && second !== undefined);
  [host, remote] = [first, second];
  rig = stack.use(
    await openRig({
      inside: true,
      netns: host.netns,
      flags: HAS_PROXY ? [] : ["--userland-proxy=false"],
    }),
  );
  await rig.startNode();
  const both = ["--subnet", "10.92.0.0/24", "--ipv6", "--subnet", "fd00:92::/64"];
  docker("network", "create", ...both, "near");
  docker("network", "create", "--subnet", "10.94.0.0/24", "far");
  docker("network", "create", "--internal", "--subnet", "10.96.0.0/24", "inside");
  const published = ["8081:80", "8083:53/udp", "127.0.0.1:8082:80"].flatMap((one) => ["-p", one]);
  await add("web", "--network", "near", "--ip", WEB.v4, "--ip6", WEB.v6, ...published);
  await add("foo", "--network", "near");
  await add("other", "--network", "near");
  await add("stranger", "--network", "far");
  await add("inner", "--network", "inside");
  await openRemote();
  declare = createDeclarer((path, options) => rig.ask(path, options));
});
after(() => stack.disposeAsync());

/** The id is the case's. A proxy calls by its own address, and is nobody whom the policy names. */
function listWays(): readonly Way[] {
  const shut = { was: "shut", only: "shut" } as const;
  const held = { was: "open", only: "shut" } as const;
  const free = { was: "open", only: "open" } as const;
  return [
    { id: "N01", from: "stranger", to: host.ip, port: 8081, ...held },
    // The proxy answers by another address than was asked, so that nobody hears it: moby/libnetwork#1729.
    { id: "N02", from: "stranger", to: host.ip, port: 8083, protocol: "UDP", ...shut },
    {
      id: "N02",
      from: "remote",
      to: host.ip,
      port: 8083,
      protocol: "UDP",
      ...held,
      remote: "open",
    },
    { id: "N03", from: "remote", to: HOST_V6, port: 8081, ...held, remote: "shut" },
    { id: "N04", from: "host", to: "127.0.0.1", port: 8081, ...held },
    { id: "N04", from: "host", to: "127.0.0.1", port: 8082, ...held },
    { id: "N04", from: "host", to: host.ip, port: 8081, ...held },
    { id: "N04", from: "host", to: HOST_V6, port: 8081, ...held },
    { id: "N05", from: "remote", to: host.ip, port: 8081, ...held, remote: "open" },
    { id: "N06", from: "web", to: GATEWAY, port: 8081, ...held },
    // Without the proxy it comes as itself and may, where the engine leads it there at all: moby/moby#48664.
    ...(HAS_PROXY ? [{ id: "N06", from: "foo", to: GATEWAY, port: 8081, ...held }] : []),
    { id: "N06", from: "other", to: GATEWAY, port: 8081, ...held },
    { id: "N07", from: "remote", to: WEB.v4, port: 85, ...held, remote: "open" },
    { id: "N07", from: "remote", to: WEB.v6, port: 85, ...held },
    { id: "N08", from: "remote", to: WEB.v4, port: 80, ...held, remote: "open" },
    { id: "N08", from: "remote", to: WEB.v6, port: 80, ...held },
    // The engine lets it in: moby/moby#45610.
    { id: "N09", from: "remote", to: "127.0.0.1", port: 8082, ...held, remote: "open" },
    { id: "N10", from: "stranger", to: GATEWAY, port: 8081, ...held },
    { id: "N11", from: "stranger", to: WEB.v4, port: 80, ...shut },
    { id: "N12", from: "foo", to: WEB.v4, port: 80, ...free },
    { id: "N12", from: "foo", to: WEB.v6, port: 80, ...free },
    { id: "N12", from: "other", to: WEB.v4, port: 80, ...held },
    { id: "N12", from: "other", to: WEB.v6, port: 80, ...held },
    { id: "N13", from: "inner", to: remote.ip, port: 80, ...shut },
    { id: "N13", from: "other", to: remote.ip, port: 80, ...free },
  ];
}

function spell({ id, from, to, port, protocol = "TCP" }: Way): string {
  return `${id} ${from} -> ${to} ${protocol}/${port}`;
}

/** Ways that are not as they should be. */
async function judge(
  ways: readonly Way[],
  read: (way: Way) => Verdict,
): Promise<readonly string[]> {
  const probes = ways.map((way): Probe => ({
    from: way.from,
    address: way.to,
    port: way.port,
    protocol: way.protocol ?? "TCP",
    expect: read(way) === "open",
  }));
  const answers = await packets.ask(probes);
  return ways.flatMap((way, at) =>
    answers[at] === probes[at]?.expect ? [] : [`${spell(way)} is not ${read(way)}`],
  );
}

const inside = (name: string, line: string): string => docker("exec", name, "sh", "-c", line);

/** Whether `web` answers `foo` and `other` at the address that its device has by itself. */
function askLinkLocal(): readonly string[] {
  const address = inside("web", "ip -6 addr show dev eth0 scope link | grep -o 'fe80[^/]*'");
  const ask = `nc -w 1 ${address}%eth0 80 </dev/null | grep -q . && echo open || echo shut`;
  return [inside("foo", ask), inside("other", ask)];
}

/** Rules of the engine, without counts. */
const readEngineRules = (): string =>
  onHost("iptables-save").replaceAll(/^[#:].*\n|\[\d+:\d+\]/gm, "");

describe("the cases of moby's network tests", () => {
  test("each is tried here, or named with what shows it", () => {
    const ids = [...readFileSync(TABLE, "utf8").matchAll(/^N\d+/gm)].map(([id]) => id);
    assert.equal(ids.length, 25);
    const here = readFileSync(new URL(import.meta.url), "utf8");
    for (const id of ids) {
      const elsewhere = ELSEWHERE[id];
      if (elsewhere !== undefined) assert.ok(existsSync(elsewhere), `${id}: ${elsewhere}`);
      else if (!NOT_OURS.has(id)) assert.match(here, new RegExp(`["( ]${id}[",)]`), id);
    }
  });

  // Elsewhere than is written here without a proxy.
  if (HAS_PROXY)
    test("without a policy they lead where the engine says", async () => {
      await declare({ namespaces: {}, policies: [] }, "open");
      assert.deepEqual(await judge(listWays(), ({ was }) => was), []);
      assert.deepEqual(askLinkLocal(), ["open", "open"]);
    });

  test("with one each has its verdict, and the engine's own rules are as before (N17)", async () => {
    const before = readEngineRules();
    await declare(letIn(), "only");
    assert.deepEqual(await judge(listWays(), ({ only }) => only), []);
    assert.equal(readEngineRules(), before);
  });

  test("who is let in by his address comes in by those that keep it", async () => {
    await declare(letIn(`${remote.ip}/32`), "remote");
    const ways = listWays();
    assert.deepEqual(await judge(ways, (way) => way.remote ?? way.only), []);
    await declare(letIn(), "again");
  });

  test("so they have whatever netfilter of bridges is set to, and whatever another tool drops (N06, N15)", async () => {
    const flag = "net.bridge.bridge-nf-call-iptables";
    const before = onHost("sysctl", "-n", flag).trim();
    for (const value of ["0", "1", before]) {
      onHost("sysctl", "-qw", `${flag}=${value}`);
      assert.deepEqual(await judge(listWays(), ({ only }) => only), [], `${flag}=${value}`);
    }
    onHost("sysctl", "-qw", `${flag}=0`);
    onHost("iptables", "-A", "FORWARD", "-j", "DROP");
    const onBridge = listWays().filter(({ id }) => id === "N12");
    assert.deepEqual(await judge(onBridge, ({ only }) => only), []);
    onHost("iptables", "-D", "FORWARD", "-j", "DROP");
    onHost("sysctl", "-qw", `${flag}=${before}`);
  });

  test("link-local addresses are no way around; a network without IPv6 has none (N14)", () => {
    assert.deepEqual(askLinkLocal(), ["shut", "shut"]);
    assert.equal(inside("stranger", "ip -6 addr show dev eth0"), "");
  });

  test("a restart with another MAC and the proxy's sockets still there changes nothing (N18, N19)", async () => {
    docker("restart", "-t", "0", "web");
    await hold("web");
    await until("who may call is answered", 15_000, async () => {
      const ways = listWays().filter(({ id, from }) => id === "N12" && from === "foo");
      return (await judge(ways, ({ only }) => only)).length === 0;
    });
    assert.deepEqual(await judge(listWays(), ({ only }) => only), []);
  });

  test("no packet is marked, as the engine does (N22)", () => {
    const rules = onHost("nft", "list", "ruleset");
    const tables = rules.split(/^(?=table )/m).filter((table) => /^table \w+ fairlead/.test(table));
    assert.ok(tables.length > 0);
    for (const table of tables) assert.doesNotMatch(table, /mark set/);
  });

  test("a service whose port another has is tried a few times, and says whose fault it is (N20)", async () => {
    const file = join(rig.directory, "taken.yaml");
    const late = { image: IMAGE, command: ["sleep", "1000"], ports: ["8081:80"] };
    writeFileSync(file, JSON.stringify({ name: "taken", services: { late } }));
    const { code, stderr } = await rig.cli(["up", "-f", file, "--timeout", "3s"]);
    assert.equal(code, 5, stderr);
    const { stdout } = await rig.cli(["why", "late"]);
    assert.match(stdout, /FL0313 port-in-use: .*port is already allocated/);
    assert.ok((stdout.match(/restarted late-1/g) ?? []).length <= 5, stdout);
  });
});
