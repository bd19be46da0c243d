// SPDX-License-Identifier: Apache-2.0
// The driver against a real engine in a network namespace of its own. Needs root and dockerd.
import assert from "node:assert/strict";
import { join, dirname } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { engineConformance } from "#engine/engine-conformance.ts";
import type { CreateRequest, Engine, EngineSignal } from "#engine/engine.ts";
import { openEngineReader } from "#engine/open-reader.ts";
import { openEngine } from "#engine/open.ts";
import { startEngine, type LabEngine } from "#lab/engine.ts";
import { importBusybox } from "#lab/images.ts";
import { createSocketProxy } from "#lab/socket-proxy.ts";
import { OWN_LABELS } from "#model/facts.ts";

const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (delayMs, signal) => wait(delayMs, undefined, signal === undefined ? {} : { signal }),
};
const parts = { clock, random: Math.random };
const by = { decision: "d-test" };
const IMAGE = "busybox:lab";
let lab: LabEngine;
let engine: Engine;

before(async () => {
  lab = await startEngine();
  await importBusybox(lab, IMAGE);
  engine = openEngine({ endpoint: lab.endpoint, env: {} }, parts);
});

after(async () => {
  await engine?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
});

function toRequest(name: string, more: Partial<CreateRequest> = {}): CreateRequest {
  const config = { Image: IMAGE };
  return { name, config, labels: {}, networkMode: "none", endpoints: [], ...more } as CreateRequest;
}

const isSlug = (slug: string) => (error: unknown) =>
  error instanceof FairleadError && error.kind.slug === slug;

engineConformance("docker", () => ({ engine, image: IMAGE }));

test("a create whose second network cannot be connected leaves no container", async () => {
  const path = join(dirname(lab.socketPath), "half.sock");
  await using proxy = await createSocketProxy(lab.socketPath, path);
  await using slow = openEngine({ endpoint: proxy.endpoint, env: {} }, parts);
  proxy.hang((seen) => seen.path.endsWith("/connect"));
  const endpoints = [{ network: "bridge" }, { network: "missing" }];
  const request = toRequest("half", { networkMode: "bridge", endpoints });
  const creating = slow.createInstance(request, { ...by, deadlineMs: 2_000 });
  await assert.rejects(creating, isSlug("engine-timeout"));
  assert.deepEqual(await engine.listInstances(), []);
  assert.ok(proxy.writes().every((seen) => seen.decision === by.decision));
});

test("a create that is cut off leaves a container that says that it is unfinished", async () => {
  const path = join(dirname(lab.socketPath), "cut.sock");
  await using proxy = await createSocketProxy(lab.socketPath, path);
  await using slow = openEngine({ endpoint: proxy.endpoint, env: {} }, parts);
  // Nothing more gets through, the tidying neither: as if the process were killed here.
  proxy.refuse(({ method, path }) => !/^(GET|HEAD)$/.test(method) && !/\/create\?/.test(path));
  const endpoints = [{ network: "bridge" }, { network: "bridge" }];
  const request = toRequest("half", { networkMode: "bridge", endpoints });
  await assert.rejects(slow.createInstance(request, by), isSlug("engine-unreachable"));
  const [left, ...others] = await engine.listInstances();
  assert.deepEqual(others, []);
  assert.equal(left?.name, `half.${by.decision}`);
  assert.equal(left?.labels[OWN_LABELS.madeAs], left?.name);
  await engine.removeInstance(left?.id ?? "", { ...by, force: true, anonymousVolumes: true });
});

test("a reader has no method that writes", async () => {
  await using reader = openEngineReader({ endpoint: lab.endpoint, env: {} }, parts);
  assert.ok(!("startInstance" in reader) && !("createInstance" in reader));
  assert.equal((await reader.info()).apiVersion, "1.41");
});

test("one hung call ends by its deadline and stalls no other", async () => {
  await using proxy = await createSocketProxy(
    lab.socketPath,
    join(dirname(lab.socketPath), "p.sock"),
  );
  await using reader = openEngineReader({ endpoint: proxy.endpoint, env: {} }, parts);
  proxy.hang((seen) => seen.path.endsWith("/networks"));
  const hung = reader.listNetworks({ deadlineMs: 1_000 });
  await Promise.all([reader.listImages(), reader.listVolumes(), reader.listInstances()]);
  await assert.rejects(hung, isSlug("engine-timeout"));
  proxy.release();
});

test("a hung engine is a timeout", async () => {
  lab.pause();
  try {
    await assert.rejects(engine.listImages({ deadlineMs: 300 }), isSlug("engine-timeout"));
  } finally {
    lab.resume();
  }
});

test("after the engine was killed the watcher says that it restarted, and no event twice", async () => {
  const ended = new AbortController();
  const signals: EngineSignal[] = [];
  const waits: { test: (signal: EngineSignal) => boolean; done: () => void }[] = [];
  const next = (test: (signal: EngineSignal) => boolean): Promise<void> =>
    new Promise((done) => waits.push({ test, done }));
  const connected = next((signal) => signal.kind === "connected");
  const watching = (async () => {
    for await (const signal of engine.watch({ signal: ended.signal })) {
      signals.push(signal);
      for (const wait of waits) if (wait.test(signal)) wait.done();
    }
  })();
  const isCreate = (name: string) => (signal: EngineSignal) =>
    signal.kind === "event" &&
    signal.event.action === "create" &&
    signal.event.attributes["name"] === name;
  await connected;
  const first = next(isCreate("before"));
  await engine.createInstance(toRequest("before"), by);
  await first;
  const connectedAgain = next((signal) => signal.kind === "connected" && signal.restarted);
  await lab.kill();
  await lab.start();
  await connectedAgain;
  const second = next(isCreate("after"));
  await engine.createInstance(toRequest("after"), by);
  await second;
  ended.abort();
  await watching;
  assert.ok(signals.some((signal) => signal.kind === "connected" && signal.restarted));
  for (const name of ["before", "after"]) assert.equal(signals.filter(isCreate(name)).length, 1);
});
