// SPDX-License-Identifier: Apache-2.0
// Three hosts with real engines as one fleet on a real etcd: services are spread, run elsewhere when a host dies, and what
// is there twice when it is back is folded. Nothing that fits moves.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { ScopeView } from "@fairlead/protocol/views.ts";
import { startEtcd, type EtcdCluster } from "#lab/etcd.ts";
import { awaitOffers } from "#lab/fleet.ts";
import { openRig, until, type Rig } from "#lab/rig.ts";
import type { InstanceFact } from "#model/facts.ts";
import { fleetSettings } from "./fleet-process.ts";

const PATIENCE_MS = 30_000;
const NAMES = ["node-a", "node-b", "node-c"] as const;
const FILE = `
name: shop
services:
  web:
    image: busybox:lab
    command: ["sh", "-c", "rm -f /tmp/up; echo hello; sleep 1; touch /tmp/up; exec sleep 1000"]
    init: true
    stop_grace_period: 1s
    healthcheck: { test: ["CMD", "test", "-e", "/tmp/up"], interval: 200ms, timeout: 5s, retries: 50 }
    deploy: { replicas: 3, update_config: { parallelism: 1 } }
`;

const STATEFUL = `
name: keep
services:
  db:
    image: busybox:lab
    stop_grace_period: 0s
    volumes: ["data:/data"]
volumes: { data: {} }
`;

let cluster: EtcdCluster;
let rigs: readonly Rig[] = [];

function rigOf(name: (typeof NAMES)[number]): Rig {
  const rig = rigs[NAMES.indexOf(name)];
  assert.ok(rig !== undefined);
  return rig;
}

function nameOf(rig: Rig): string {
  return NAMES[rigs.indexOf(rig)] ?? "";
}

/** The containers of the scope that a host's engine has. */
async function listOn(rig: Rig): Promise<readonly InstanceFact[]> {
  return (await rig.engine.listInstances()).filter(({ scope }) => scope === "shop");
}

async function readScope(rig: Rig): Promise<ScopeView | undefined> {
  const { status, body } = await rig.ask<ScopeView>("scopes/shop");
  return status === 200 ? body : undefined;
}

/** `web-1@node-a …` as one node shows it. */
async function drawScope(rig: Rig): Promise<string> {
  return drawView(await readScope(rig));
}

function drawView(view: ScopeView | undefined): string {
  const instances = view?.services.flatMap((service) => service.instances) ?? [];
  return instances.map(({ service, slot, node = "-" }) => `${service}-${slot}@${node}`).join(" ");
}

async function settled(rig: Rig): Promise<void> {
  await until(
    "shop is as wanted",
    PATIENCE_MS,
    async () => (await readScope(rig))?.settled === true,
  );
}

async function stateOf(by: Rig, name: string): Promise<string | undefined> {
  const { body } = await by.ask<{ items: readonly NodeView[] }>("nodes");
  return body.items.find((item) => item.name === name)?.state;
}

/** What that node decided. */
async function listDecisions(rig: Rig): Promise<readonly Decision[]> {
  return (
    await rig.ask<{ items: Decision[] }>(`decisions?scope=shop&limit=200&node=${nameOf(rig)}`)
  ).body.items;
}

/** The most instances of the fleet that were seen not to be well in one look, until it is aborted. */
async function countAway(signal: AbortSignal): Promise<{ most: number; looks: number }> {
  let most = 0;
  let looks = 0;
  while (!signal.aborted) {
    // A look takes time: who is away in it is away only if it is so before and after.
    const [first, second] = [await listAway(), await listAway()];
    most = Math.max(most, first.filter((name) => second.includes(name)).length);
    looks++;
  }
  return { most, looks };
}

async function listAway(): Promise<readonly string[]> {
  const all = (await Promise.all(rigs.map(listOn))).flat();
  return all
    .filter(({ state, health }) => state !== "running" || health !== "healthy")
    .map(({ name }) => name);
}

before(async () => {
  cluster = await startEtcd();
  rigs = await Promise.all(
    NAMES.map((_, index) => openRig({ env: fleetSettings(cluster, index) })),
  );
  await Promise.all(rigs.map((rig) => rig.startNode()));
  for (const rig of rigs)
    for (const name of NAMES)
      await until(
        `${name} is alive`,
        PATIENCE_MS,
        async () => (await stateOf(rig, name)) === "alive",
      );
  await awaitOffers(cluster, NAMES.length);
});
after(async () => {
  await Promise.all(rigs.map((rig) => rig[Symbol.asyncDispose]()));
  await cluster?.[Symbol.asyncDispose]();
});

test("a service is spread over the hosts", async () => {
  const [a, b] = [rigOf("node-a"), rigOf("node-b")];
  const folder = join(a.directory, "project");
  mkdirSync(folder);
  const file = join(folder, "compose.yaml");
  writeFileSync(file, FILE);
  const up = await a.cli(["up", "-f", file, "--timeout", "60s"]);
  assert.equal(up.code, 0, up.stdout + up.stderr);
  for (const rig of rigs) assert.equal((await listOn(rig)).length, 1);
  const ps = await b.cli(["ps", "--scope", "shop"]);
  for (const name of NAMES) assert.match(ps.stdout, new RegExp(` ${name} +running `));
  assert.match((await b.cli(["nodes"])).stdout, / leads /);
});

test("what is asked of any node is answered for all of them", async () => {
  const a = rigOf("node-a");
  const [, , far] = (await readScope(a))?.services.flatMap(({ instances }) => instances) ?? [];
  assert.ok(far !== undefined);
  const asker = far.node === "node-a" ? rigOf("node-b") : a;
  const ask = async (...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await asker.cli([...words, "--scope", "shop"]);
    assert.equal(code, 0, stdout + stderr);
    assert.doesNotMatch(stderr, /partial|cannot read/);
    return stdout;
  };
  assert.deepEqual((await ask("logs", "--no-prefix")).trim().split("\n"), Array(3).fill("hello"));
  assert.equal((await ask("logs", far.name)).trim(), `${far.name} | hello`);
  assert.match(await ask("inspect", far.name), new RegExp(`"Id": "${far.id}"`));
  assert.match(await ask("why", far.name), new RegExp(`node +${far.node}\\b`));
  const decisions = await ask("decisions");
  for (const name of NAMES) assert.match(decisions, new RegExp(` ${name} +created web-`));
  const top = await ask("top", "--once");
  for (const name of NAMES) assert.match(top, new RegExp(`shop-web-\\d +${name} `));

  const before = (await Promise.all(rigs.map(listOn))).flat();
  const counting = new AbortController();
  const counted = countAway(counting.signal);
  const restarted = await asker.cli(["restart", "--scope", "shop", "--reason", "a test"]);
  counting.abort();
  const { most, looks } = await counted;
  assert.equal(most, 1, `${most} were away at once, by ${looks} looks; parallelism is 1`);
  assert.equal(restarted.code, 0, restarted.stdout + restarted.stderr);
  assert.match(restarted.stdout, new RegExp(` on ${far.node}\\b`));
  const now = (await Promise.all(rigs.map(listOn))).flat();
  assert.equal(now.length, 3);
  for (const { id, name, startedAtMs } of now) {
    const old = before.find((one) => one.name === name);
    assert.ok(old?.id !== id || old.startedAtMs !== startedAtMs, `${name} was restarted`);
  }
});

test("what runs on a host whose node is ended, as for an upgrade, stays in sight; one that starts says all of it or nothing", async () => {
  const [a, b, c] = [rigOf("node-a"), rigOf("node-b"), rigOf("node-c")];
  await settled(a);
  const all = await drawScope(a);
  assert.match(all, /node-c/);
  await c.endNode("SIGTERM");
  for (const rig of [a, b]) assert.equal(await drawScope(rig), all);
  // Its farewell may be late on a busy machine.
  await until("it has left", PATIENCE_MS, async () => (await stateOf(a, "node-c")) === "left");
  let isUp = false;
  const starting = c.startNode().then(() => (isUp = true));
  const said = new Set<string>();
  await until("it says all", PATIENCE_MS, async () => {
    const wasUp = isUp;
    // Before it answers at all it says nothing either.
    const vain = { status: 0, body: undefined };
    const { status, body } = await c.ask<ScopeView>("scopes/shop").catch(() => vain);
    const drawn = status === 200 ? drawView(body) : `status ${status}`;
    said.add(drawn);
    return wasUp && drawn === all;
  });
  await starting;
  for (const word of ["status 0", "status 503", all]) said.delete(word);
  assert.deepEqual([...said], [], "never a part");
  await settled(a);
  assert.equal(await drawScope(a), all);
});

test("a service moves from a host that dies, and is folded when that is back", async () => {
  const [a, b, c] = [rigOf("node-a"), rigOf("node-b"), rigOf("node-c")];
  const kept = [...(await listOn(a)), ...(await listOn(b))].map(({ id }) => id);

  await c.endNode("SIGKILL");
  await c.lab.kill();
  await until("its instance runs elsewhere", PATIENCE_MS, async () =>
    /^web-1@node-[ab] web-2@node-[ab] web-3@node-[ab]$/.test(await drawScope(a)),
  );
  await settled(b);
  assert.equal((await listOn(a)).length + (await listOn(b)).length, 3);
  const moves = (await Promise.all([a, b].map(listDecisions)))
    .flat()
    .filter(({ act, trigger }) => act === "service.place" && trigger.kind === "members");
  assert.deepEqual(
    moves.map(({ trigger }) => trigger.detail),
    ["node-c is gone"],
  );

  await c.lab.start();
  await c.startNode();
  await until("the double is folded", PATIENCE_MS, async () => (await listOn(c)).length === 0);
  await settled(a);
  const folds = (await listDecisions(c)).filter(({ act }) => act === "instance.remove");
  assert.deepEqual(
    folds.map(({ trigger }) => trigger.detail),
    ["its instances stand on other nodes"],
  );
  const now = [...(await listOn(a)), ...(await listOn(b))].map(({ id }) => id);
  assert.ok(
    kept.every((id) => now.includes(id)),
    "nothing that fitted was made anew",
  );
  assert.equal(now.length, 3);
});

test("while the store is away each goes on with what it has, also after a restart, and nothing else is taken in", async () => {
  const a = rigOf("node-a");
  await cluster.members[0]?.signal("SIGKILL");
  await a.endNode("SIGKILL");
  const [victim] = await listOn(a);
  assert.ok(victim !== undefined);
  await a.engine.killInstance(victim.id, { decision: "test" });
  await a.startNode();
  await until("it is healed", PATIENCE_MS, async () =>
    (await listOn(a)).every(({ state }) => state === "running"),
  );
  const file = join(a.directory, "project/compose.yaml");
  const refused = await a.cli(["up", "-f", file]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /FL0714/);
  await cluster.members[0]?.start();
  for (const rig of rigs)
    await until("the fleet is known again", PATIENCE_MS, async () => {
      const { body } = await rig.ask<{ missing: readonly string[] }>("services");
      return body.missing.length === 0;
    });
});

// Packed, so that nothing is spread again meanwhile, as after a host is back for a while.
const CHANGED = FILE.replace(
  "    init: true",
  '    environment: { VERSION: "2" }\n    labels: { fairlead.place: pack }\n    init: true',
).replace("{ parallelism: 1 }", "{ parallelism: 1, delay: 1s }").concat(`  one:
    image: busybox:lab
    command: ["sleep", "1000"]
    init: true
    stop_grace_period: 1s
    labels: { fairlead.singleton: "true" }
`);
/** From one instance's start until it is well by its health check, and until the next may be changed. */
const PACE_MS = 2_000;

/** The fewest instances that were well, and the most that ran, in one look at all engines, until it is aborted. */
async function watchCounts(service: string, signal: AbortSignal) {
  const counts = { fewest: Number.POSITIVE_INFINITY, most: 0 };
  const look = async (): Promise<readonly InstanceFact[]> =>
    (await Promise.all(rigs.map(listOn)))
      .flat()
      .filter((one) => one.service === service && one.state === "running");
  while (!signal.aborted) {
    // A look takes time: who is seen in one of two was there meanwhile, and who is in both was there all the time.
    const [first, second] = [await look(), await look()];
    const well = [...first, ...second].filter(({ health }) => health === "healthy");
    counts.fewest = Math.min(counts.fewest, new Set(well.map(({ id }) => id)).size);
    const both = first.filter(({ id }) => second.some((one) => one.id === id));
    counts.most = Math.max(counts.most, both.length);
  }
  return counts;
}

test("a change is paced over all hosts, and a drained host gives each instance away once it is well elsewhere", async () => {
  const a = rigOf("node-a");
  const listAll = async (service: string): Promise<readonly InstanceFact[]> =>
    (await Promise.all(rigs.map(listOn))).flat().filter((one) => one.service === service);
  await settled(a);
  const file = join(a.directory, "project/compose.yaml");
  writeFileSync(file, CHANGED);
  const changing = new AbortController();
  const counted = watchCounts("web", changing.signal);
  const up = await a.cli(["up", "-f", file, "--timeout", "90s"]);
  changing.abort();
  assert.equal(up.code, 0, up.stdout + up.stderr);
  assert.ok((await counted).fewest >= 2, "one at a time is away");
  const starts = (await listAll("web"))
    .map(({ createdAtMs }) => createdAtMs)
    .toSorted((x, y) => x - y);
  const gaps = starts.slice(1).map((atMs, i) => atMs - (starts[i] ?? 0));
  assert.equal(gaps.length, 2);
  assert.ok(
    gaps.every((gapMs) => gapMs >= PACE_MS),
    `changed ${gaps.join(" and ")} ms after another`,
  );

  const name = /one-1@(node-[abc])/.exec(await drawScope(a))?.[1];
  const holder = NAMES.find((one) => one === name);
  assert.ok(holder !== undefined);
  const draining = new AbortController();
  const watched = Promise.all(
    ["web", "one"].map((service) => watchCounts(service, draining.signal)),
  );
  const drained = await a.cli(["drain", holder, "--reason", "a test"]);
  assert.equal(drained.code, 0, drained.stderr);
  await until("nothing is left there", PATIENCE_MS, async () => {
    return (await listOn(rigOf(holder))).length === 0;
  });
  await settled(a);
  draining.abort();
  const [webs, ones] = await watched;
  assert.equal(webs?.fewest, 3, "none was missed");
  assert.equal(ones?.most, 1, "the singleton never ran twice");
  assert.deepEqual([(await listAll("web")).length, (await listAll("one")).length], [3, 1]);
  const uncordoned = await a.cli(["uncordon", holder]);
  assert.equal(uncordoned.code, 0, uncordoned.stderr);
});

test("down, asked of any node, removes it from all", async () => {
  const down = await rigOf("node-b").cli(["down", "--scope", "shop"]);
  assert.equal(down.code, 0, down.stdout + down.stderr);
  for (const rig of rigs) assert.deepEqual(await listOn(rig), []);
  for (const rig of rigs)
    await until("it is forgotten", PATIENCE_MS, async () => (await readScope(rig)) === undefined);
});

test("data is on one host; down says that it is kept, and down -v takes it from all, when it is down already too", async () => {
  const [a, b, c] = [rigOf("node-a"), rigOf("node-b"), rigOf("node-c")];
  const file = join(a.directory, "project/store.yaml");
  writeFileSync(file, STATEFUL);
  const up = await a.cli(["up", "-f", file, "--timeout", "60s"]);
  assert.equal(up.code, 0, up.stdout + up.stderr);
  const listVolumes = async (): Promise<readonly string[]> => {
    const all = await Promise.all(rigs.map(({ engine }) => engine.listVolumes()));
    return all.flatMap((volumes, index) => volumes.map(({ name }) => `${name}@${NAMES[index]}`));
  };
  const [at = "", ...others] = await listVolumes();
  assert.deepEqual(others, [], "no host that has no instance of it has an empty one");
  const holder = NAMES.find((name) => at === `keep_data@${name}`) ?? assert.fail(at);
  const explained = await b.cli(["placement", "explain", "db", "--scope", "keep"]);
  assert.match(explained.stdout, new RegExp(`asks  volume keep_data of ${holder};`));

  const down = await b.cli(["down", "--scope", "keep"]);
  assert.equal(down.code, 0, down.stdout + down.stderr);
  assert.match(down.stderr, /kept 1 volume with its data: keep_data/);
  // What an earlier life left on another host.
  const left = holder === "node-c" ? a : c;
  const label = "io.fairlead.scope=keep";
  const words = ["-H", left.lab.endpoint, "volume", "create", "--label", label, "keep_old"];
  assert.equal(spawnSync("docker", words).status, 0);
  await until("it is told", PATIENCE_MS, async () => {
    const { stdout } = await b.cli(["down", "--scope", "keep", "-v", "--dry-run"]);
    return stdout.includes("keep_data") && stdout.includes("keep_old");
  });
  const gone = await b.cli(["down", "--scope", "keep", "-v"]);
  assert.equal(gone.code, 0, gone.stdout + gone.stderr);
  assert.deepEqual(await listVolumes(), []);
});
