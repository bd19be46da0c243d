// SPDX-License-Identifier: Apache-2.0
// What is seen of who talks to whom on a real engine, and what is made of it: tests, trials, suggestions.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FlowEffect, FlowView } from "@fairlead/protocol/flows.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { runProgram } from "#lab/run-program.ts";
import type { InstanceFact } from "#model/facts.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const LISTEN = 'command: ["nc", "-ll", "-p", "5432", "-e", "cat"]';
const COMPOSE = `
name: shop
services:
  web: { image: ${IMAGE}, command: ["sleep", "1000"], stop_signal: SIGKILL }
  other: { image: ${IMAGE}, command: ["sleep", "1000"], stop_signal: SIGKILL }
  db: { image: ${IMAGE}, ${LISTEN}, stop_signal: SIGKILL }
networks:
  default:
    enable_ipv6: true
    ipam: { config: [{ subnet: 10.92.0.0/24 }, { subnet: "fd00:92::/64" }] }
`;
const policy = (from: string): string => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { service: db } }
  ingress: [{ from: [{ podSelector: { matchLabels: { service: ${from} } } }] }]
---
tests:
  - { from: web, to: db, port: 5432, expect: allow }
  - cannot: [other, "db:5432"]
`;

let scenario: Scenario;
before(async () => {
  scenario = await openScenario({ inside: true });
  await scenario.up(scenario.file(COMPOSE));
});
after(() => scenario?.[Symbol.asyncDispose]());

async function find(service: string): Promise<InstanceFact> {
  const found = (await scenario.instances("shop")).find((one) => one.service === service);
  assert.ok(found !== undefined, service);
  return found;
}

async function addressOf(service: string, family: 4 | 6): Promise<string> {
  const all = Object.values((await find(service)).endpoints ?? {});
  const own = all.flatMap(({ addresses }) => addresses);
  return own.find((one) => one.includes(":") === (family === 6)) ?? "";
}

async function run(service: string, script: string): Promise<string> {
  const command = ["sh", "-c", script];
  const { id } = await find(service);
  return (await scenario.rig.engine.exec(id, command, { decision: "test" })).stdout;
}

async function call(from: string, address: string, port = 5432): Promise<boolean> {
  return (await run(from, `echo hello | nc -w 1 ${address} ${port}`)).includes("hello");
}

async function cli(args: readonly string[], code = 0): Promise<string> {
  const result = await scenario.rig.cli(args);
  assert.equal(result.code, code, `${args.join(" ")}: ${result.stdout}${result.stderr}`);
  return result.stdout;
}

async function list<T>(args: readonly string[], code = 0): Promise<readonly T[]> {
  const { items } = JSON.parse(await cli([...args, "-o", "json"], code)) as { items: readonly T[] };
  return items;
}

/** `web db 5432/tcp allowed`, without what the engine and the system say on their own. */
function tell({ from, to, port, protocol, verdict }: FlowView): string {
  const [one, other] = [from, to].map((end) => end.service ?? end.address);
  return `${one} ${other} ${port}/${protocol} ${verdict}`;
}

async function flows(...args: readonly string[]): Promise<readonly string[]> {
  const seen = await list<FlowView>(["flows", "--scope", "shop", ...args]);
  return seen.filter(({ port }) => port >= 5000).map(tell);
}

test("a watched scope without policies tells who calls whom, and nothing is denied", async () => {
  await cli(["policy", "mode", "watch", "--scope", "shop"]);
  for (const family of [4, 6] as const)
    assert.ok(await call("web", await addressOf("db", family)), `IPv${family}`);
  await until("it is seen", 5_000, async () => (await flows()).length > 0);
  assert.deepEqual(await flows(), ["web db 5432/tcp allowed"]);
  const [flow] = await list<FlowView>(["flows", "--scope", "shop", "--to", "db"]);
  assert.ok(flow !== undefined && flow.count >= 2, JSON.stringify(flow));
  assert.deepEqual(await flows("--denied"), []);
});

test("a suggestion allows what was seen and nothing else, on packets too", async () => {
  const text = await cli(["policy", "suggest", "shop"]);
  const file = scenario.file(text, "suggested.yaml");
  await cli(["policy", "apply", file, "--mode", "enforce"]);
  const db = await addressOf("db", 4);
  await until("what was seen passes", 10_000, () => call("web", db));
  assert.ok(!(await call("other", db)), "another peer");
  await run("db", "nc -ll -p 5433 -e cat >/dev/null 2>&1 &");
  assert.ok(!(await call("web", db, 5433)), "another port");
  const [denied] = await list<FlowView>([
    "flows",
    "--scope",
    "shop",
    "--denied",
    "--from",
    "other",
  ]);
  assert.equal(denied?.verdict, "dropped");
  assert.equal(denied.policy, "shop/seen-nothing-else");
  assert.match(denied.at?.file ?? "", /suggested\.yaml$/);
  assert.doesNotMatch(await cli(["policy", "suggest", "shop"]), /io.fairlead.service: other/);
  assert.match(await cli(["policy", "suggest", "shop", "--denied"]), /io.fairlead.service: other/);
  for (const name of ["seen-nothing-else", "seen-web", "seen-db"])
    await cli(["policy", "rm", `shop/${name}`]);
});

test("a trial says what would change for what is seen, and changes nothing", async () => {
  const db = await addressOf("db", 4);
  await until("other is free again", 10_000, () => call("other", db));
  const file = scenario.file(policy("web"), "policy.yaml");
  const trying = ["policy", "try", file, "--since", "10s"];
  await scenario.rig.cli([...trying, "--for", "1ms"]);
  let effects: readonly FlowEffect[] = [];
  await until("it is seen although no policy selects it", 10_000, async () => {
    assert.ok(await call("other", db), "nothing is dropped");
    const { stdout } = await scenario.rig.cli([...trying, "--for", "1ms", "-o", "jsonl"]);
    effects = stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
    return effects.some(({ flow }) => flow.verdict === "allowed");
  });
  const told = effects.map(({ flow, verdict, at }) => `${tell(flow)} ${verdict} ${at?.line}`);
  assert.ok(told.includes("other db 5432/tcp allowed deny 2"), told.join());
  assert.deepEqual(await list(["policy", "ls", "--scope", "shop"]), []);
});

test("tests of a file pass or fail on what it says", async () => {
  await cli(["policy", "test", scenario.file(policy("web"), "policy.yaml")]);
  const wrong = scenario.file(policy("other"), "wrong.yaml");
  const results = await list<{ passed: boolean }>(["policy", "test", wrong], 1);
  assert.deepEqual(
    results.map(({ passed }) => passed),
    [false, false],
  );
});

test("what watched policies would drop is seen, with the line, and as it comes", async () => {
  const db = await addressOf("db", 4);
  await cli(["policy", "apply", scenario.file(policy("web"), "policy.yaml"), "--mode", "watch"]);
  const following = scenario.rig.cli(["flows", "-f", "--denied", "--scope", "shop", "-n", "1"]);
  await until("a watched call passes and is counted", 20_000, async () => {
    assert.ok(await call("other", db));
    return (await flows("--denied")).includes("other db 5432/tcp would-drop");
  });
  let ended = false;
  const followed = following.finally(() => (ended = true));
  await until("it was told to who follows", 20_000, async () => {
    assert.ok(await call("other", db));
    return ended;
  });
  assert.match(
    (await followed).stdout,
    /shop-other-1 -> shop-db-1:5432.tcp {2}would-drop .*policy\.yaml:2/,
  );
  await cli(["policy", "enforce", "--scope", "shop"]);
  assert.ok(!(await call("other", db)));
  assert.ok((await flows("--denied")).includes("other db 5432/tcp dropped"));
});

test("a flood of calls fills nothing", async () => {
  const { pid } = await find("web");
  const db = await addressOf("db", 4);
  const script = `i=1; while [ $i -lt 6000 ]; do echo x > /dev/udp/${db}/$i; i=$((i+1)); done`;
  runProgram("nsenter", [`--net=/proc/${pid}/ns/net`, "bash", "-c", `${script} 2>/dev/null; true`]);
  let ports: readonly number[] = [];
  await until("they are read", 10_000, async () => {
    const seen = await list<FlowView>(["flows", "--scope", "shop", "--from", "web"]);
    ports = seen.filter(({ protocol }) => protocol === "udp").map(({ port }) => port);
    return ports.length > 0;
  });
  assert.ok(ports.length > 1_000 && ports.length < 5_000, String(ports.length));
  assert.ok(ports.includes(0), "those without room are kept without a port");
});
