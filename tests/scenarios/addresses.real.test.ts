// SPDX-License-Identifier: Apache-2.0
// Addresses of services on two real engines that are one fleet: callers on either host reach the instances of both by one
// address, with their own address as the source; what is about to stop gets nothing new, and what stands goes on.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { ServiceView } from "@fairlead/protocol/views.ts";
import { startHosts } from "#lab/hosts.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { runInNamespace, runProgram } from "#lab/run-program.ts";
import type { InstanceFact } from "#model/facts.ts";
import { openHostPlaces, type HostPlace } from "./host-places.ts";
import { askByUdp, serveUdp } from "./udp-beside.ts";

const PATIENCE_MS = 30_000;
const NETWORK = "shop_default";
/** Says who it is, and echoes what it is sent. */
const SERVE = "exec nc -ll -p 80 -e sh -c 'hostname; exec cat'";

const compose = (label: string, version = 1, perNode = 1): string => `
name: shop
services:
  web:
    image: ${IMAGE}
    command: ["sh", "-c", "${SERVE}"]
    init: true
    environment: { VERSION: "${version}" }
    healthcheck: { test: ["CMD-SHELL", "echo | nc -w 1 127.0.0.1 80"], interval: 1s }
    stop_grace_period: 5s
    labels: { fairlead.address: "${label}" }
    deploy: { replicas: 2, placement: { max_replicas_per_node: ${perNode} }, update_config: { order: start-first, monitor: 0s } }
  caller:
    image: ${IMAGE}
    command: ["sleep", "1000"]
    init: true
    deploy: { replicas: 2, placement: { max_replicas_per_node: 1 } }
networks:
  default: { driver: vxlan, internal: true, enable_ipv6: true }
`;

const stack = new AsyncDisposableStack();
let places: readonly HostPlace[] = [];
const children: ChildProcess[] = [];
let addresses: readonly string[] = [];

function place(index: number): HostPlace {
  const found = places[index];
  assert.ok(found !== undefined);
  return found;
}

async function listOf({ engine }: HostPlace, service: string): Promise<readonly InstanceFact[]> {
  const all = await engine.listInstances();
  return all.filter((one) => one.service === service && one.state === "running");
}

async function findOne(at: HostPlace, service: string): Promise<InstanceFact> {
  const [found] = await listOf(at, service);
  assert.ok(found !== undefined, `${service} on ${at.node.host.name}`);
  return found;
}

async function up(text: string): Promise<void> {
  const { node } = place(0);
  const { code, stdout, stderr } = await node.cli("up", "-f", node.file(text));
  assert.equal(code, 0, `${stdout}${stderr}${node.readLog()}`);
}

/** Who answers a caller's connections, one after the other, or why nobody does. A busy machine may take its time. */
async function call(at: HostPlace, address: string, count: number): Promise<readonly string[]> {
  const { id } = await findOne(at, "caller");
  const one = `nc -w 10 ${address} 80 </dev/null 2>&1 || echo refused`;
  const command = ["sh", "-c", `i=0; while [ $i -lt ${count} ]; do ${one}; i=$((i+1)); done`];
  const { stdout } = await at.engine.exec(id, command, { decision: "test" });
  return stdout.trim().split("\n");
}

const whoOf = (lines: readonly string[]): readonly string[] => [...new Set(lines)].toSorted();

/** Whether it is an instance's answer: an engine gives containers such names. */
const isName = (line: string): boolean => /^[0-9a-f]{12}$/.test(line);

const nameOf = ({ id }: InstanceFact): string => id.slice(0, 12);

async function look(at: HostPlace): Promise<ServiceView | undefined> {
  const { body } = await at.node.ask<{ items: readonly ServiceView[] }>("services?scope=shop");
  return body.items.find(({ name }) => name === "web");
}

async function everywhere(what: string, hold: (at: HostPlace) => Promise<boolean>): Promise<void> {
  for (const at of places) await until(what, PATIENCE_MS, () => hold(at));
}

/** Until callers of both hosts are answered by exactly these. */
async function answeredBy(ids: readonly string[]): Promise<void> {
  await everywhere(`answered by ${ids.join(" ")}`, async (at) => {
    const who = whoOf(await call(at, addresses[0] ?? "", 10 * ids.length));
    return who.join() === ids.toSorted().join();
  });
}

before(async () => {
  places = await openHostPlaces(stack.use(await startHosts(2)), stack);
});
after(async () => {
  for (const child of children) child.kill("SIGKILL");
  await stack.disposeAsync();
});

test("one address reaches the instances of both hosts, and they see who calls", async () => {
  await up(compose("on"));
  await until("it has an address", PATIENCE_MS, async () => {
    addresses = (await look(place(0)))?.addresses ?? [];
    return addresses.length === 2;
  });
  const web = await Promise.all(places.map(async (at) => nameOf(await findOne(at, "web"))));
  await answeredBy(web);
  for (const at of places)
    assert.ok(web.includes((await call(at, addresses[1] ?? "", 1))[0] ?? ""), "over IPv6");
  const caller = await findOne(place(0), "caller");
  const own = caller.endpoints?.[NETWORK]?.addresses[0] ?? "";
  const seen = readFileSync(`/proc/${caller.pid}/net/nf_conntrack`, "utf8");
  assert.match(seen, new RegExp(`src=${own} dst=${addresses[0]} .* dst=${own} `), "who calls");
  const { stdout } = await place(1).node.cli("services", "--scope", "shop");
  assert.match(stdout, /ADDRESS/);
  assert.ok(stdout.includes(addresses.join(", ")), stdout);
  const { body } = await place(0).node.ask<{ items: Decision[] }>("decisions?scope=shop&limit=200");
  const given = body.items.filter(({ act }) => act === "address.give");
  assert.deepEqual(
    given.map(({ outcome }) => outcome),
    ["done"],
    "one node decides it",
  );
});

/** A connection of a caller that stays open, and what is sent over it comes back. */
async function hold(
  at: HostPlace,
  address = addresses[0] ?? "",
): Promise<{ readonly name: string; echo(): Promise<string> }> {
  const { pid } = await findOne(at, "caller");
  const args = [`--net=/proc/${pid}/ns/net`, "busybox", "nc", address, "80"];
  const child = spawn("nsenter", args, { stdio: ["pipe", "pipe", "ignore"] });
  children.push(child);
  const name = String((await once(child.stdout, "data"))[0]).trim();
  return {
    name,
    async echo() {
      child.stdin.write("still there\n");
      return String((await once(child.stdout, "data"))[0]).trim();
    },
  };
}

test("local and sticky are taken up at once, and a connection that stands goes on", async () => {
  const held = await hold(place(0));
  const web = await Promise.all(places.map((at) => findOne(at, "web")));
  await up(compose("on local"));
  for (const [i, at] of places.entries()) {
    const here = web[i];
    assert.ok(here !== undefined);
    await until("answered by the host's own", PATIENCE_MS, async () => {
      const who = whoOf(await call(at, addresses[0] ?? "", 10));
      return who.join() === nameOf(here);
    });
  }
  await up(compose("on sticky"));
  await everywhere("a caller is answered by one", async (at) => {
    return whoOf(await call(at, addresses[0] ?? "", 10)).length === 1;
  });
  const now = await Promise.all(places.map((at) => findOne(at, "web")));
  assert.deepEqual(now.map(nameOf), web.map(nameOf), "no container was made anew");
  assert.equal(await held.echo(), "still there");
  assert.ok(web.map(nameOf).includes(held.name));
});

async function answerUdp(instance: InstanceFact): Promise<void> {
  children.push(await serveUdp(instance, nameOf(instance)));
}

/** Who answers so many datagrams of a host's caller. */
async function callByUdp(at: HostPlace, count: number): Promise<readonly string[]> {
  return askByUdp(await findOne(at, "caller"), addresses[0] ?? "", count);
}

test("UDP goes the same way: sticky, spread, and never to an instance that was killed", async () => {
  const web = await Promise.all(places.map((at) => findOne(at, "web")));
  await Promise.all(web.map(answerUdp));
  for (const at of places) {
    const [who, ...more] = whoOf(await callByUdp(at, 10));
    assert.deepEqual([more, isName(who ?? "")], [[], true], "a caller keeps its instance");
  }
  await up(compose("on"));
  const all = web.map(nameOf).toSorted();
  await everywhere("both answer", async (at) => {
    return whoOf(await callByUdp(at, 20)).join() === all.join();
  });
  const inspected = await place(1).node.cli("net", "inspect", "web");
  assert.match(inspected.stdout, /^shop\/web {3}ok\naddresses {2}198\.18\./);
  assert.equal(inspected.stdout.match(/takes connections/g)?.length, 2, inspected.stdout);
  const listed = await place(1).node.cli("net", "ls");
  assert.match(
    listed.stdout,
    /^SERVICE +STATE +ADDRESS +RUNNING.*\nshop\/web +ok +198\.18\.\S+ fd66:\S+ +2\/2/m,
  );

  const [near, far] = web;
  assert.ok(near !== undefined && far !== undefined);
  const paused = await place(0).node.cli("pause", "web", "--scope", "shop");
  assert.equal(paused.code, 0, paused.stderr);
  await place(1).engine.killInstance(far.id, { decision: "test", signalName: "SIGKILL" });
  await everywhere("only the other is asked", async (at) => {
    return whoOf(await callByUdp(at, 10)).join() === nameOf(near);
  });
  const resumed = await place(0).node.cli("resume", "web", "--scope", "shop");
  assert.equal(resumed.code, 0, resumed.stderr);
  await until("it is healed", PATIENCE_MS, async () => (await look(place(0)))?.healthy === 2);
  await answerUdp(await findOne(place(1), "web"));
  await everywhere("both answer again", async (at) => whoOf(await callByUdp(at, 20)).length === 2);
});

/** Who answered callers of these places, again and again until it is changed. */
async function callMeanwhile(
  from: readonly HostPlace[],
  change: Promise<unknown>,
): Promise<readonly string[]> {
  let isDone = false;
  const changed = change.finally(() => (isDone = true));
  const calling = from.map(async (at) => {
    const lines: string[] = [];
    while (!isDone) lines.push(...(await call(at, addresses[0] ?? "", 5)));
    return lines;
  });
  const [lines] = await Promise.all([Promise.all(calling), changed]);
  return lines.flat();
}

function assertAnswered(lines: readonly string[]): void {
  const failed = lines.filter((line) => !isName(line));
  assert.deepEqual(failed, [], `${failed.length} of ${lines.length}`);
}

test("an update refuses nobody who calls, from its host or from another", async (t) => {
  await up(compose("on local"));
  const former = await Promise.all(places.map((one) => findOne(one, "web")));
  assertAnswered(await callMeanwhile([place(0)], up(compose("on local", 2))));
  await up(compose("on", 2));
  const lines = await callMeanwhile(places, up(compose("on", 3)));
  assertAnswered(lines);
  t.diagnostic(`0 of ${lines.length} failed while it was changed`);
  const web = await Promise.all(places.map((one) => findOne(one, "web")));
  assert.equal(
    web.some(({ id }) => former.some((one) => one.id === id)),
    false,
  );
  await answeredBy(web.map(nameOf));
});

test("what somebody else removes is put back, and a node that is killed leaves it", async () => {
  const at = place(0);
  const caller = await findOne(at, "caller");
  assert.ok(caller.pid !== undefined);
  runProgram("nsenter", [`--net=/proc/${caller.pid}/ns/net`, "nft", "flush", "ruleset"]);
  const list = (): string => runInNamespace(at.node.host.netns, "nft", ["list", "tables"]);
  assert.match(list(), /fairlead_services/);
  runInNamespace(at.node.host.netns, "nft", ["delete", "table", "inet", "fairlead_services"]);
  await until("it is there again", PATIENCE_MS, async () => list().includes("fairlead_services"));
  await until("a decision says so", PATIENCE_MS, async () => {
    const { body } = await at.node.ask<{ items: Decision[] }>("decisions?limit=50");
    return body.items.some(({ act }) => act === "address.repair");
  });
  await until("so it is in a container", PATIENCE_MS, async () => {
    return isName((await call(at, addresses[0] ?? "", 1))[0] ?? "");
  });
  await at.node.signal("SIGKILL");
  assert.equal(whoOf(await call(at, addresses[0] ?? "", 20)).length, 2);
  await at.node.start();
});

/** Who may call web, by label. */
async function allow(service: string): Promise<void> {
  const { node } = place(0);
  const file = join(node.stateDir, "policy.yaml");
  writeFileSync(
    file,
    `{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: web, namespace: shop },
  spec: { podSelector: { matchLabels: { service: web } }, ingress: [{ from: [{ podSelector: { matchLabels: { service: ${service} } } }] }] } }`,
  );
  const { code, stderr } = await node.cli("policy", "apply", file);
  assert.equal(code, 0, stderr);
}

/** Whether an instance is answered at once. */
async function isAnswered(at: HostPlace, id: string, address: string): Promise<boolean> {
  const command = ["sh", "-c", `nc -w 1 ${address} 80 </dev/null`];
  const { stdout } = await at.engine.exec(id, command, { decision: "test" });
  return isName(stdout.trim());
}

test("policy knows the instances of all hosts by label, and a change cuts what stands", async () => {
  const web = await Promise.all(places.map((at) => findOne(at, "web")));
  const all = web.flatMap(({ endpoints }) => endpoints?.[NETWORK]?.addresses ?? []);
  assert.equal(all.length, 4, "two of each family");
  const [first, second] = [place(0), place(1)];
  const labels = ["com.docker.compose.project=shop", "com.docker.compose.service=stranger"];
  const words = labels.flatMap((label) => ["--label", label]);
  const run = ["run", "-d", "--init", "--network", NETWORK, ...words, IMAGE, "sleep", "1000"];
  const stranger = runProgram("docker", ["-H", second.node.host.endpoint, ...run]).trim();
  for (const address of all)
    await until("without a policy it may call", PATIENCE_MS, () =>
      isAnswered(second, stranger, address),
    );
  await allow("caller");
  for (const at of places) {
    const { id } = await findOne(at, "caller");
    for (const address of all)
      await until("callers may", PATIENCE_MS, () => isAnswered(at, id, address));
  }
  for (const address of all)
    await until("a stranger may not", PATIENCE_MS, async () => {
      return !(await isAnswered(second, stranger, address));
    });
  const listed = await second.node.cli("policy", "ls", "--scope", "shop");
  assert.match(listed.stdout, /shop +web +enforce +ingress +2 /, "of both hosts");

  const far = web[1]?.endpoints?.[NETWORK]?.addresses[0] ?? "";
  const held = await hold(first, far);
  assert.equal(await held.echo(), "still there");
  await allow("stranger");
  await until("the stranger may now", PATIENCE_MS, () => isAnswered(second, stranger, far));
  const echo = held.echo();
  assert.equal(await Promise.race([echo, sleep(1_000, "cut")]), "cut");
  await allow("caller");
  assert.equal(await echo, "still there", "TCP sends again what was cut");

  // Its address is soon another's, which others must not take for it.
  runProgram("docker", ["-H", second.node.host.endpoint, "rm", "-f", stranger]);
  const { code } = await first.node.cli("policy", "rm", "shop/web");
  assert.equal(code, 0);
});

test("what is moved to another host refuses nobody", async (t) => {
  const [near, far] = [place(0), place(1)];
  await up(compose("on", 3, 2));
  const leaving = nameOf(await findOne(far, "web"));
  const drain = async (): Promise<void> => {
    const { code, stderr } = await near.node.cli("drain", far.node.host.name, "--reason", "a test");
    assert.equal(code, 0, stderr);
    await until("both run on the other host", PATIENCE_MS, async () => {
      const [here, there] = await Promise.all([listOf(near, "web"), listOf(far, "web")]);
      return here.length === 2 && there.length === 0;
    });
  };
  const lines = await callMeanwhile(places, drain());
  assertAnswered(lines);
  assert.ok(lines.includes(leaving), "it was called until it left");
  const decisions = await far.node.ask<{ items: Decision[] }>("decisions?scope=shop&limit=50");
  const removal = decisions.body.items.find(({ title }) => title.startsWith("removed web"));
  assert.equal(removal?.outcome, "done");
  t.diagnostic(`0 of ${lines.length} failed; it was removed in ${removal?.durationMs} ms`);
  const { code } = await near.node.cli("uncordon", far.node.host.name);
  assert.equal(code, 0);
});

test("down takes it from the kernel", async () => {
  const { code } = await place(0).node.cli("down", "--scope", "shop");
  assert.equal(code, 0);
  await everywhere(
    "no table is left",
    async ({ node }) =>
      !runInNamespace(node.host.netns, "nft", ["list", "tables"]).includes("fairlead_services"),
  );
});
