// SPDX-License-Identifier: Apache-2.0
// DNS of a real node: what it answers follows the containers.
import assert from "node:assert/strict";
import { Resolver } from "node:dns/promises";
import { mkdirSync, writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { IMAGE, openRig, type Rig } from "#lab/rig.ts";
import type { InstanceFact } from "#model/facts.ts";

const SERVER = "127.0.0.1:15353";
const WEB = "web.shop.fairlead.internal";
const CROWD = "crowd.shop.fairlead.internal";
const KILLS = 8;
/** D04: how long an answer may still name what is dead. */
const STALE_MS = 2_000;

let rig: Rig;
let previous: string | undefined;
const resolver = new Resolver();
resolver.setServers([SERVER]);

before(async () => {
  previous = process.env["FAIRLEAD_DNS_LISTEN"];
  process.env["FAIRLEAD_DNS_LISTEN"] = SERVER;
  rig = await openRig();
  await rig.startNode();
  const folder = joinPath(rig.directory, "stack");
  mkdirSync(folder);
  const file = joinPath(folder, "compose.yaml");
  writeFileSync(
    file,
    `
name: shop
services:
  web:
    image: ${IMAGE}
    stop_grace_period: 0s
    deploy: { replicas: 2 }
    labels: { fairlead.heal: "off" }
  crowd:
    image: ${IMAGE}
    stop_grace_period: 0s
    deploy: { replicas: 3 }
    labels: { fairlead.heal: "restart max=100/10m" }
  api:
    image: ${IMAGE}
    stop_grace_period: 0s
    labels: { fairlead.name: front, fairlead.port: 8080/http }
`,
  );
  const up = await rig.cli(["up", "-f", file, "--progress", "quiet"]);
  assert.equal(up.code, 0, up.stderr);
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
  if (previous === undefined) delete process.env["FAIRLEAD_DNS_LISTEN"];
  else process.env["FAIRLEAD_DNS_LISTEN"] = previous;
});

const list = async (service: string): Promise<readonly InstanceFact[]> =>
  (await rig.engine.listInstances()).filter((one) => one.service === service);
const addressOf = (instance: InstanceFact): string => Object.values(instance.addresses)[0] ?? "";

test("services are names, with the instances that are well, within a moment of a change", async () => {
  const ask = (): Promise<string[]> => resolver.resolve4(WEB).catch(() => []);
  const instances = await list("web");
  const addresses = instances.map(addressOf).toSorted();
  assert.equal(addresses.length, 2);
  assert.deepEqual((await ask()).toSorted(), addresses);
  const [first] = instances;
  assert.ok(first !== undefined);
  await rig.engine.killInstance(first.id, { decision: "test", signalName: "SIGKILL" });
  const gone = addressOf(first);
  let answer = await ask();
  for (let turn = 0; turn < 200 && answer.includes(gone); turn++) answer = await ask();
  assert.deepEqual(
    answer,
    addresses.filter((address) => address !== gone),
  );
  await assert.rejects(resolver.resolve4("none.shop.fairlead.internal"), { code: "ENOTFOUND" });
});

test("a service is called by fairlead.name, and its SRV record has the port of fairlead.port", async () => {
  const [api] = await list("api");
  assert.ok(api !== undefined);
  assert.deepEqual(await resolver.resolve4("front.shop.fairlead.internal"), [addressOf(api)]);
  await assert.rejects(resolver.resolve4("api.shop.fairlead.internal"), { code: "ENOTFOUND" });
  const [record, ...more] = await resolver.resolveSrv("_http._tcp.front.shop.fairlead.internal");
  assert.deepEqual([record?.name, record?.port], ["1.front.shop.fairlead.internal", 8080]);
  assert.deepEqual(more, []);
});

test("D04: a hundred questions a second while instances are killed: a name is never without answer, none names the dead", async (t) => {
  const ended = new AbortController();
  const answers: { readonly atMs: number; readonly addresses: readonly string[] }[] = [];
  const failures: string[] = [];
  const asking = (async () => {
    while (!ended.signal.aborted) {
      const atMs = performance.now();
      await resolver.resolve4(CROWD).then(
        (addresses) => answers.push({ atMs, addresses }),
        (error: NodeJS.ErrnoException) => failures.push(error.code ?? String(error)),
      );
      await sleep(Math.max(0, atMs + 10 - performance.now()));
    }
  })();
  /** When an address had nobody behind it. */
  const dead: { readonly address: string; readonly fromMs: number; toMs: number }[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const instances = await list("crowd");
    const one = instances[kill % instances.length];
    assert.ok(one !== undefined);
    const gap = { address: addressOf(one), fromMs: performance.now(), toMs: Infinity };
    dead.push(gap);
    await rig.engine.killInstance(one.id, { decision: "test", signalName: "SIGKILL" });
    let now = await rig.engine.inspectInstance(one.id);
    while (now?.state !== "running" || now.startedAtMs === one.startedAtMs)
      now = await rig.engine.inspectInstance(one.id);
    gap.toMs = performance.now();
  }
  const [last] = await list("crowd");
  assert.ok(last !== undefined);
  const scaled = await rig.cli(["pause", "crowd", "--scope", "shop"]);
  assert.equal(scaled.code, 0, scaled.stderr);
  dead.push({ address: addressOf(last), fromMs: performance.now(), toMs: Infinity });
  await rig.engine.killInstance(last.id, { decision: "test", signalName: "SIGKILL" });
  await sleep(STALE_MS + 500);
  ended.abort();
  await asking;
  const stale = answers.filter(({ atMs, addresses }) =>
    dead.some(
      ({ address, fromMs, toMs }) =>
        addresses.includes(address) && atMs > fromMs + STALE_MS && atMs < toMs,
    ),
  );
  t.diagnostic(
    `${answers.length} answers, ${failures.length} without one, ${stale.length} that named the dead`,
  );
  assert.deepEqual(failures, []);
  assert.ok(answers.length > 100);
  assert.deepEqual(stale, []);
});
