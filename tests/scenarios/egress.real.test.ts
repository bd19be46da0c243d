// SPDX-License-Identifier: Apache-2.0
// Egress by name on a real engine: an outside world of the test's own, with its name server, and containers that call it.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { FlowView } from "@fairlead/protocol/flows.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { runProgram } from "#lab/run-program.ts";
import type { InstanceFact } from "#model/facts.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const BRIDGE = "172.30.9.1";
const UPSTREAM = "192.0.2.2";
const API = "198.51.100.10";
const API6 = "2001:db8:5::10";
const FILES = "198.51.100.11";
const STRANGER = "198.51.100.12";
const BRIEF = "198.51.100.13";
const INSIDE = "10.99.0.1";
const LINKS = Array.from({ length: 20 }, (_, at) => `link${at}.example.com`);
const ZONE = {
  "api.example.com": [
    [60, API],
    [60, API6],
  ],
  "cdn.pypi.org": [[60, "edge.cdn.example"]],
  "edge.cdn.example": [[60, FILES]],
  "pypi.org": [[60, STRANGER]],
  "evil.example": [[60, STRANGER]],
  "brief.example.com": [[0, BRIEF]],
  "rebind.example.com": [
    [60, API],
    [60, "169.254.169.254"],
  ],
  "own.example.com": [[60, "192.0.2.1"]],
  "intra.example.com": [[60, INSIDE]],
  ...Object.fromEntries(LINKS.map((name, at) => [name, [[60, LINKS[at + 1] ?? API]]])),
  "long.example.com": [[60, LINKS[0]]],
};
const NAMES = `api.example.com, *.pypi.org, brief.example.com, rebind.example.com, own.example.com, intra.example.com=${INSIDE}/32, long.example.com`;
const compose = (names: string): string => `
name: bots
services:
  agent:
    image: ${IMAGE}
    command: ["sleep", "1000"]
    stop_signal: SIGKILL
    labels: { fairlead.egress: "${names}" }
  free: { image: ${IMAGE}, command: ["sleep", "1000"], stop_signal: SIGKILL }
networks:
  default:
    enable_ipv6: true
    ipam: { config: [{ subnet: 10.93.0.0/24 }, { subnet: "fd00:93::/64" }] }
`;

let scenario: Scenario;
let world: ChildProcess | undefined;
let asked = "";

/** Another host beside the engine's, whose addresses are anybody's. */
async function openWorld(netns: string): Promise<void> {
  const outside = `${netns}-w`;
  const ip = (...args: readonly string[]): string => runProgram("ip", args);
  ip("netns", "add", outside);
  ip("-n", outside, "link", "set", "lo", "up");
  ip("-n", netns, "link", "add", "out0", "type", "veth", "peer", "name", "in0", "netns", outside);
  for (const [name, device, v4, v6] of [
    [netns, "out0", "192.0.2.1/24", "2001:db8:2::1/64"],
    [outside, "in0", `${UPSTREAM}/24`, "2001:db8:2::2/64"],
  ] as const) {
    ip("-n", name, "addr", "add", v4, "dev", device);
    ip("-n", name, "-6", "addr", "add", v6, "dev", device, "nodad");
    ip("-n", name, "link", "set", device, "up");
  }
  for (const address of [API, FILES, STRANGER, BRIEF, INSIDE])
    ip("-n", outside, "addr", "add", `${address}/32`, "dev", "lo");
  ip("-n", outside, "-6", "addr", "add", `${API6}/128`, "dev", "lo", "nodad");
  for (const route of ["198.51.100.0/24", `${INSIDE}/32`])
    ip("-n", netns, "route", "add", route, "via", UPSTREAM);
  ip("-n", netns, "-6", "route", "add", "2001:db8:5::/64", "via", "2001:db8:2::2");
  // Engines differ in whether they hide containers behind the host over IPv6.
  ip("-n", outside, "-6", "route", "add", "fd00:93::/64", "via", "2001:db8:2::1");
  const program = fileURLToPath(new URL("programs/outside-world.ts", import.meta.url));
  const command = [process.execPath, program, UPSTREAM, JSON.stringify(ZONE)];
  const child = spawn("ip", ["netns", "exec", outside, ...command], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  world = child;
  child.stdout.setEncoding("utf8").on("data", (text: string) => (asked += text));
  await until("the world is ready", 20_000, () => asked.includes("ready"));
}

before(async () => {
  scenario = await openScenario({
    inside: true,
    flags: [`--bip=${BRIDGE}/24`],
    env: { FAIRLEAD_DNS_LISTEN: `${BRIDGE}:53`, FAIRLEAD_DNS_UPSTREAMS: `${UPSTREAM}:53` },
  });
  await openWorld(scenario.rig.lab.netns);
  await scenario.up(scenario.file(compose(NAMES)));
});
after(async () => {
  if (world?.exitCode === null) {
    const ended = once(world, "exit");
    world.kill("SIGKILL");
    await ended;
  }
  const { netns } = scenario.rig.lab;
  runProgram("ip", ["netns", "del", `${netns}-w`]);
  await scenario[Symbol.asyncDispose]();
});

async function find(service: string): Promise<InstanceFact> {
  const found = (await scenario.instances("bots")).find((one) => one.service === service);
  assert.ok(found !== undefined, service);
  return found;
}

async function run(service: string, script: string): Promise<string> {
  const { id } = await find(service);
  const command = ["sh", "-c", script];
  return (await scenario.rig.engine.exec(id, command, { decision: "test" })).stdout;
}

/** Addresses that a lookup inside of the container finds. */
async function lookUp(service: string, name: string): Promise<readonly string[]> {
  const said = await run(service, `nslookup ${name} 2>&1`);
  const answer = said.split(/\n\n/).slice(1).join("\n");
  return [...answer.matchAll(/^Address(?: \d+)?:\s+(\S+)$/gm)].map(([, one = ""]) => one);
}

async function reaches(service: string, address: string): Promise<boolean> {
  return (await run(service, `nc -w 1 ${address} 7000 </dev/null 2>&1`)).includes("hello");
}

const isOpen = (address: string): Promise<void> =>
  until(`${address} is reached`, 20_000, () => reaches("agent", address));

async function ls(...args: readonly string[]): Promise<readonly FlowView[]> {
  const { code, stdout, stderr } = await scenario.rig.cli(["flows", "-A", ...args, "-o", "json"]);
  assert.equal(code, 0, stderr);
  return (JSON.parse(stdout) as { items: readonly FlowView[] }).items;
}

test("an address is let through once its name was asked for, over IPv4 and IPv6", async () => {
  await until("who has no label reaches all", 20_000, () => reaches("free", STRANGER));
  assert.ok(!(await reaches("agent", API)), "before it was asked for");
  const found = await lookUp("agent", "api.example.com");
  assert.deepEqual(found.toSorted(), [API, API6]);
  for (const address of found) {
    await until(`${address} is there`, 20_000, () => reaches("free", address));
    await isOpen(address);
  }
  for (const address of [STRANGER, FILES]) assert.ok(!(await reaches("agent", address)), address);
});

test("a wildcard is what is below, also where a name leads elsewhere", async () => {
  assert.deepEqual(await lookUp("agent", "cdn.pypi.org"), [FILES]);
  await isOpen(FILES);
  assert.deepEqual(await lookUp("agent", "pypi.org"), []);
});

test("other names are asked for nobody, and other name servers are not reached", async () => {
  asked = "";
  for (const name of ["evil.example", "secret.evil.example", "edge.cdn.example"])
    assert.deepEqual(await lookUp("agent", name), [], name);
  assert.deepEqual(asked, "", "nothing was told to the world");
  assert.deepEqual(await lookUp("free", "evil.example"), [STRANGER]);
  const said = await run("agent", `nslookup -timeout=1 -retry=1 evil.example ${UPSTREAM} 2>&1`);
  assert.ok(!said.includes(STRANGER), said);
});

test("an answer with an address of the inside, or by too long a way, is not given", async () => {
  for (const name of ["rebind.example.com", "own.example.com", "long.example.com"])
    assert.deepEqual(await lookUp("agent", name), [], name);
  assert.deepEqual(await lookUp("agent", "intra.example.com"), [INSIDE]);
  await isOpen(INSIDE);
});

test("what is good no more is not called anew, and what stands goes on", async () => {
  await until("it is asked for and called while it is good", 30_000, async () => {
    await lookUp("agent", "brief.example.com");
    await run("agent", "rm -f /tmp/out; killall nc 2>/dev/null; true");
    const lines = "while true; do echo tick; sleep 0.2; done";
    await run(
      "agent",
      `(${lines}) 2>/dev/null | nc ${BRIEF} 7000 > /tmp/out 2>/dev/null & sleep 1`,
    );
    return (await run("agent", "cat /tmp/out")).includes("tick");
  });
  await until("it is called no more", 30_000, async () => !(await reaches("agent", BRIEF)));
  const size = async (): Promise<number> => Number(await run("agent", "wc -c < /tmp/out"));
  const before = await size();
  await until("what stands goes on", 10_000, async () => (await size()) > before);
  assert.ok(await reaches("agent", API), "what is good for longer is called");
});

test("flows have the name, and the label's line", async () => {
  const seen = await ls("--from", "agent");
  const api = seen.find(({ to }) => to.address === API && to.name !== undefined);
  assert.equal(api?.to.name, "api.example.com");
  assert.equal(api.policy, "bots/label.agent");
  assert.match(api.at?.file ?? "", /compose\.yaml$/);
  const denied = seen.find(({ to, port }) => to.address === STRANGER && port === 7000);
  assert.equal(denied?.verdict, "dropped");
});

test("what was found is good over a restart of the node", async () => {
  const { rig } = scenario;
  await lookUp("agent", "api.example.com");
  await rig.endNode("SIGKILL");
  assert.ok(await reaches("agent", API), "while no node runs");
  await rig.startNode();
  await scenario.settled("bots");
  assert.ok(await reaches("agent", API), "after it");
  const { pid } = await find("agent");
  const nft = ["nft", "list", "set", "inet", "fairlead", "out_named4"];
  const set = runProgram("nsenter", [`--net=/proc/${pid}/ns/net`, ...nft]);
  assert.ok(set.includes(API), set);
});
