// SPDX-License-Identifier: Apache-2.0
// Network policy on a real engine: from a file to packets that do not arrive.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { CanAnswer } from "@fairlead/protocol/policy.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { runInNamespace, runProgram } from "#lab/run-program.ts";
import type { InstanceFact } from "#model/facts.ts";
import { createSystemClock } from "#node/system-clock.ts";
import { openStore } from "#store/open.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const COMPOSE = `
name: shop
services:
  web: { image: ${IMAGE}, command: ["sleep", "1000"], stop_signal: SIGKILL, labels: { role: front } }
  cache:
    image: ${IMAGE}
    command: ["nc", "-ll", "-p", "5432", "-e", "cat"]
    stop_signal: SIGKILL
    labels: { fairlead.allow.from: "other, db" }
  other: { image: ${IMAGE}, command: ["sleep", "1000"], stop_signal: SIGKILL }
  db:
    image: ${IMAGE}
    command: ["nc", "-ll", "-p", "5432", "-e", "cat"]
    stop_signal: SIGKILL
networks:
  default:
    enable_ipv6: true
    ipam: { config: [{ subnet: 10.91.0.0/24 }, { subnet: "fd00:91::/64" }] }
`;
const policy = (role: string): string => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db-from-front, namespace: shop }
spec:
  podSelector: { matchLabels: { service: db } }
  ingress:
    - from:
        - podSelector: { matchLabels: { role: ${role} } }
      ports: [{ port: 5432 }]
`;

let scenario: Scenario;
before(async () => {
  scenario = await openScenario({ inside: true });
  await scenario.up(scenario.file(COMPOSE));
});
after(() => scenario[Symbol.asyncDispose]());

async function find(service: string): Promise<InstanceFact> {
  const found = (await scenario.instances("shop")).find((one) => one.service === service);
  assert.ok(found !== undefined, service);
  return found;
}

function addressOf(instance: InstanceFact, family: 4 | 6): string {
  const all = Object.values(instance.endpoints ?? {}).flatMap(({ addresses }) => addresses);
  return all.find((one) => one.includes(":") === (family === 6)) ?? "";
}

/** Whether what is sent to db's port comes back. */
async function reaches(from: string, address: string): Promise<boolean> {
  const { id } = await find(from);
  const { stdout } = await scenario.rig.engine.exec(
    id,
    ["sh", "-c", `echo hello | nc -w 1 ${address} 5432`],
    { decision: "test" },
  );
  return stdout.includes("hello");
}

/** What is open is reached: at once, or when a machine that is busy, or TCP, has tried again. */
async function isOpen(from: string, address: string): Promise<void> {
  await until(`${from} reaches ${address}`, 20_000, () => reaches(from, address));
}

async function apply(text: string): Promise<void> {
  const file = scenario.file(text, "policy.yaml");
  const { code, stderr } = await scenario.rig.cli(["policy", "apply", file]);
  assert.equal(code, 0, stderr);
}

async function can(from: string, to: string): Promise<{ code: number; answer: CanAnswer }> {
  const { code, stdout, stderr } = await scenario.rig.cli([
    "can",
    from,
    to,
    "--scope",
    "shop",
    "-o",
    "json",
  ]);
  const answer = (JSON.parse(stdout || "{}") as { items?: readonly CanAnswer[] }).items?.[0];
  assert.ok(answer !== undefined, stderr);
  return { code, answer };
}

test("a policy of a file is what packets meet, over IPv4 and IPv6", async () => {
  const db = await find("db");
  const [v4, v6] = [addressOf(db, 4), addressOf(db, 6)];
  for (const address of [v4, v6]) await isOpen("other", address);
  await apply(policy("front"));
  for (const address of [v4, v6]) {
    await isOpen("web", address);
    assert.ok(!(await reaches("other", address)), `denied: ${address}`);
  }
  const yes = await can("web", "db:5432");
  assert.deepEqual([yes.code, yes.answer.answer], [0, "yes"], JSON.stringify(yes.answer));
  const no = await can("other", "db:5432");
  assert.deepEqual([no.code, no.answer.answer], [1, "no"], JSON.stringify(no.answer));
  assert.equal(no.answer.declared.steps?.at(-1)?.policy, "shop/db-from-front");
  const decisions = await scenario.decisions("shop");
  assert.ok(decisions.some(({ act, outcome }) => act === "policy.enforce" && outcome === "done"));
});

test("a label says the same in short", async () => {
  const address = addressOf(await find("cache"), 4);
  await isOpen("other", address);
  assert.ok(!(await reaches("web", address)));
  assert.equal(
    (await can("web", "cache:5432")).answer.declared.steps?.at(-1)?.policy,
    "shop/label.cache",
  );
});

test("what a change forbids is cut at once, also what stands", async () => {
  const address = addressOf(await find("db"), 4);
  const { id } = await find("web");
  const run = async (script: string): Promise<string> =>
    (await scenario.rig.engine.exec(id, ["sh", "-c", script], { decision: "test" })).stdout;
  const lines = "echo one; while ! test -e /tmp/go; do sleep 0.1; done; echo two; sleep 100";
  await run(`(${lines}) 2>/dev/null | nc ${address} 5432 > /tmp/out 2>/dev/null &`);
  await until("the connection stands", 5_000, async () => (await run("cat /tmp/out")) === "one\n");
  await apply(policy("nobody"));
  await run("touch /tmp/go");
  await run("sleep 1");
  assert.equal(await run("cat /tmp/out"), "one\n");
  await apply(policy("front"));
  await isOpen("web", address);
  // What was cut goes on where it was: TCP sends it again.
  await until("it goes on", 20_000, async () => (await run("cat /tmp/out")) === "one\ntwo\n");
});

const docker = (...args: string[]): string =>
  runProgram("docker", ["-H", scenario.rig.lab.endpoint, ...args]);

/** Counts what comes to an instance, before any rule of ours. Ends with the instance. */
function watchPings(pid: number | undefined): () => number {
  const nft = (...command: string[]): string =>
    runProgram("nsenter", [`--net=/proc/${pid}/ns/net`, "nft", ...command]);
  nft("add", "table", "ip", "seen");
  nft("add", "chain", "ip", "seen", "in", "{ type filter hook prerouting priority -400; }");
  nft("add", "rule", "ip", "seen", "in", "icmp", "type", "echo-request", "counter");
  return () => Number(/packets (\d+)/.exec(nft("list", "table", "ip", "seen"))?.[1]);
}

test("nothing passes before an instance's rules are in, from its first instruction on", async () => {
  const rounds = Number(process.env["FAIRLEAD_START_LEAK"] ?? 3);
  const [db, web] = [await find("db"), await find("web")];
  const [seen, heard] = [watchPings(db.pid), watchPings(web.pid)];
  // Made and started past Fairlead; it sends from its first instruction on, and what it sends waits inside for a neighbour's MAC.
  const labels = ["com.docker.compose.project=shop", "com.docker.compose.service=mute", "mute=yes"];
  const marked = labels.flatMap((label) => ["--label", label]);
  const ping = (to: InstanceFact): string =>
    `while true; do ping -c 1 -W 1 ${addressOf(to, 4)}; done`;
  const send = `(${ping(db)}) & ${ping(web)}`;
  const network = ["--name", "mute", "--network", "shop_default"];
  docker("create", ...network, ...marked, IMAGE, "sh", "-c", send);
  docker("start", "mute");
  await until("it is heard without a policy", 10_000, () => seen() > 0);
  docker("kill", "mute");
  await apply(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: mute, namespace: shop }
spec:
  podSelector: { matchLabels: { mute: "yes" } }
  egress: [{ to: [{ podSelector: { matchLabels: { service: web } } }] }]
`);
  const before = seen();
  const node = scenario.rig.nodePid();
  for (let round = 0; round < rounds; round++) {
    const heardBefore = heard();
    // Whatever the node has foreseen, and when it has seen nothing until the program ran.
    const isLate = round % 2 === 1;
    if (isLate) process.kill(node, "SIGSTOP");
    try {
      docker("start", "mute");
    } finally {
      if (isLate) process.kill(node, "SIGCONT");
    }
    // Its port is open then, also for what has waited.
    await until("whom it may call has heard it twice", 20_000, () => heard() >= heardBefore + 2);
    docker("kill", "mute");
  }
  docker("rm", "-f", "mute");
  assert.equal(seen() - before, 0);
  await isOpen("web", addressOf(db, 4));
});

test("rules that somebody takes away come back, and the node says so", async () => {
  const { pid } = await find("db");
  runProgram("nsenter", [`--net=/proc/${pid}/ns/net`, "nft", "flush", "ruleset"]);
  await until("they are repaired", 30_000, async () =>
    (await scenario.decisions("shop")).some(({ act }) => act === "policy.repair"),
  );
  assert.equal((await can("other", "db:5432")).answer.answer, "no");
});

/** Processes by which the node is told of what happens to the host's rules. */
function listMonitors(): readonly number[] {
  const node = scenario.rig.nodePid();
  const children = readFileSync(`/proc/${node}/task/${node}/children`, "utf8").split(" ");
  return children.map(Number).filter((pid) => pid > 0 && isMonitor(pid));
}

function isMonitor(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("nft\0monitor");
  } catch {
    return false;
  }
}

/** What the node says it did about what stands on the host, the last first. */
async function listHostRepairs(): Promise<readonly Decision[]> {
  const { body } = await scenario.rig.ask<{ items: Decision[] }>("decisions?limit=500");
  return body.items.filter(
    ({ act, object }) => act === "policy.repair" && object === "bridge fairlead",
  );
}

test("rules that somebody takes away on the host come back at once, and the node says so", async (context) => {
  const rounds = Number(process.env["FAIRLEAD_FLUSH_ROUNDS"] ?? 3);
  const onHost = (...words: string[]): string =>
    runInNamespace(scenario.rig.lab.netns, "nft", words);
  const { id } = await find("other");
  const address = addressOf(await find("db"), 4);
  const run = async (script: string): Promise<string> =>
    (await scenario.rig.engine.exec(id, ["sh", "-c", script], { decision: "test" })).stdout;
  const probe = `echo hello | nc -w 1 ${address} 5432 >> /tmp/leaked 2>/dev/null`;
  await run(`: > /tmp/leaked; (while ! test -e /tmp/stop; do ${probe} & sleep 0.1; done) &`);
  await until("it watches", 10_000, () => listMonitors().length === 1);
  assert.deepEqual(await listHostRepairs(), []);
  const { pid } = await find("cache");
  const inside = (...words: string[]): string =>
    runProgram("nsenter", [`--net=/proc/${pid}/ns/net`, "nft", ...words]);
  const spentMs: number[] = [];
  let early = 0;
  for (let round = 0; round < rounds; round++) {
    inside("flush", "ruleset");
    const beganMs = Date.now();
    onHost("flush", "ruleset");
    const isSaid = async (): Promise<boolean> => (await listHostRepairs()).length > round;
    await until("it is said", 20_000, isSaid);
    assert.match(onHost("list", "tables"), /table bridge fairlead$/m);
    if (!inside("list", "tables").includes("fairlead")) early += 1;
    spentMs.push(((await listHostRepairs())[0]?.startedAtMs ?? NaN) - beganMs);
  }
  const sorted = spentMs.toSorted((a, b) => a - b).join(" ");
  context.diagnostic(`back after ms: ${sorted}`);
  assert.ok(early > 0, "whoever looks repairs what is inside before");
  await run("touch /tmp/stop");
  assert.equal(await run("cat /tmp/leaked"), "");
  await until("there is an alert", 10_000, async () =>
    /taken away \d+ times/.test((await scenario.rig.cli(["alerts"])).stdout),
  );
  const [first = 0] = listMonitors();
  process.kill(first, "SIGKILL");
  await until("it watches again", 10_000, () => listMonitors().some((pid) => pid !== first));
});

test("a watched policy denies nothing, and a removed one is gone", async () => {
  const address = addressOf(await find("db"), 4);
  const { rig } = scenario;
  assert.equal((await rig.cli(["policy", "mode", "watch", "--scope", "shop"])).code, 0);
  await isOpen("other", address);
  assert.equal((await rig.cli(["policy", "mode", "enforce", "--scope", "shop"])).code, 0);
  assert.ok(!(await reaches("other", address)));
  assert.equal((await rig.cli(["policy", "mode", "off", "shop"])).code, 0);
  await until("nothing is watched on the host", 10_000, () => listMonitors().length === 0);
  const free = await rig.cli(["can", "other", "db:5432", "--no-probe", "--scope", "shop"]);
  assert.match(free.stdout, /policies of shop are in mode off, and hold nobody/);
  assert.equal((await rig.cli(["policy", "enforce", "shop"])).code, 0);
  assert.equal((await rig.cli(["policy", "rm", "shop/db-from-front"])).code, 0);
  await isOpen("other", address);
});

/** Writes a scope's policies as a later version might, into the store of a node that does not run. */
async function writeNewer(scope: string): Promise<void> {
  const directory = join(scenario.rig.env["FAIRLEAD_STATE_DIR"] ?? "", "store");
  await using store = await openStore(
    { kind: "sqlite", directory },
    { clock: createSystemClock() },
  );
  const value = { scope, mode: "enforce", labels: {}, policies: [], hours: "9-17" };
  await store.transact([{ kind: "put", key: `policy/${scope}`, value }]);
}

test("policies that a node cannot read when it starts let nothing pass, and are said everywhere", async () => {
  const { rig } = scenario;
  const [db, cache] = [addressOf(await find("db"), 4), addressOf(await find("cache"), 4)];
  await isOpen("other", db);
  await isOpen("other", cache);
  const [monitor = 0] = listMonitors();
  assert.ok(isMonitor(monitor));
  await rig.endNode("SIGKILL");
  await until("what it began ends with it", 10_000, () => !isMonitor(monitor));
  await writeNewer("shop");
  await rig.startNode();
  const isShut = async (address: string): Promise<boolean> => !(await reaches("other", address));
  await until("nothing passes", 20_000, () => isShut(db));
  assert.ok(await isShut(cache), "labels open nothing");
  const said = /policies cannot be read of shop, where nobody may talk to anybody: .*\(FL0752\)/;
  const listed = await rig.cli(["policy", "ls", "--scope", "shop"]);
  assert.match(listed.stderr, said);
  assert.doesNotMatch(listed.stderr, /no answer from/);
  assert.match(listed.stdout, /shop +unreadable +enforce +ingress egress +4 /);
  assert.match((await rig.cli(["doctor", "--only", "node"])).stdout, said);
  await until("there is an alert", 10_000, async () =>
    said.test((await rig.cli(["alerts"])).stdout),
  );
  assert.match((await scenario.service("shop", "db")).reason ?? "", said);
  const file = scenario.file(policy("front"), "policy.yaml");
  assert.match((await rig.cli(["policy", "apply", file])).stderr, /FL0752.*not written over/s);
  assert.equal((await rig.cli(["policy", "rm", "shop/unreadable"])).code, 0);
  await isOpen("other", db);
});
