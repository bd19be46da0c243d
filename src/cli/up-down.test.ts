// SPDX-License-Identifier: Apache-2.0
// up, plan, config, down, restart, pause over a real API with scripted operations.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { createDecision } from "#api/testing/fake-data.ts";
import { startApi, type TestApi } from "#api/testing/start-api.ts";
import { type Run, runFairlead } from "./testing/run-fairlead.ts";

const FILE = `name: shop
services:
  web:
    image: shop/web:1
    labels: { fairlead.heel: restart }
  tool:
    image: other/tool:1
    build: ./tool
`;

describe("a project", () => {
  let api: TestApi;
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "fairlead-cli-"));
    await mkdir(join(directory, "tool"));
    await writeFile(join(directory, "compose.yaml"), FILE);
    await writeFile(join(directory, "tool/Dockerfile"), "FROM scratch\nCOPY a /\n");
    await writeFile(join(directory, "tool/a"), "x".repeat(1_000));
  });
  beforeEach(async () => {
    api = await startApi();
  });
  afterEach(() => api[Symbol.asyncDispose]());
  after(() => rm(directory, { recursive: true, force: true }));

  const run = (line: string, env: Record<string, string> = {}): Promise<Run> =>
    runFairlead(line.split(" "), {
      cwd: directory,
      env: { FAIRLEAD_SOCKET: api.socketPath, ...env },
    });
  const called = () => api.fake.calls.map((call) => call.name);
  const writes = () => called().filter((name) => ["apply", "down", "act", "build"].includes(name));

  function makeAll(state: "ok" | "starting"): void {
    for (const [at, service] of api.fake.services.entries()) {
      api.fake.services[at] = { ...service, state, reason: state === "ok" ? "" : "waits" };
    }
  }

  test("up builds what is missing, applies, waits, and exits 0 when all is as wanted", async () => {
    makeAll("ok");
    const { code, stderr, stdout } = await run("up --reason test");
    assert.equal(code, 0, stderr);
    assert.deepEqual(writes(), ["build", "apply"]);
    assert.ok(api.fake.builtBytes > 1_000);
    assert.match(stdout, /^plan pl_\S+ for shop: /);
    assert.match(stderr, /^warning FL0211 unknown-label compose\.yaml:5:15: .*fairlead\.heal/m);
    assert.match(stderr, /building other\/tool:1 for tool\n {2}tool \| Step 1\/2/);
    assert.match(stderr, /✓ shop is as wanted/);
    const apply = api.fake.calls.find((call) => call.name === "apply");
    assert.match(JSON.stringify(apply?.args), /"reason":"test"/);
  });

  test("up fetches first what says pull_policy: always, each image once; a plan is carried out without", async () => {
    makeAll("ok");
    const service = (image: string): string => `{ image: "${image}", pull_policy: always }`;
    const text = `name: shop\nservices:\n  a: ${service("x:1")}\n  b: ${service("x:1")}\n  c: { image: "y:1" }\n`;
    await writeFile(join(directory, "pull.yaml"), text);
    const { code, stderr } = await run("up -f pull.yaml");
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      called().filter((name) => ["pull", "apply"].includes(name)),
      ["pull", "apply"],
    );
    const [pull] = api.fake.calls.filter((call) => call.name === "pull");
    assert.match(
      JSON.stringify(pull?.args),
      /"service":"a","reference":"x:1","at":\{[^}]*"line":3/,
    );
    api.fake.calls.length = 0;
    const { stdout } = await run("plan -f pull.yaml -o json");
    await writeFile(join(directory, "plan.json"), stdout);
    assert.equal((await run("up -f pull.yaml --plan plan.json")).code, 0);
    assert.match((await run("up -f pull.yaml --dry-run")).stderr, /would pull x:1 for a/);
    assert.ok(!called().includes("pull"));
  });

  test("up follows until the scope comes to rest", async () => {
    makeAll("starting");
    const pending = run("up --no-build");
    await api.fake.awaitCalls("scope");
    for (const service of api.fake.services) {
      api.fake.publish({
        kind: "service",
        atMs: 1,
        service: { ...service, state: "ok", reason: "" },
      });
    }
    const { code, stderr } = await pending;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /! web .*starting[^]*✓ web .*ok/);
  });

  test("up exits 1 for a quarantined service, with its reason and its last log lines", async () => {
    makeAll("ok");
    const [web] = api.fake.services;
    assert.ok(web);
    api.fake.services[0] = { ...web, state: "quarantined", reason: "ended with code 3" };
    const { code, stderr } = await run("up --no-build");
    assert.equal(code, 1);
    assert.match(stderr, /✗ web is quarantined: ended with code 3\n/);
    assert.equal(
      stderr.match(/^ {4}\| (?:job \d+ done in \d+ ms|redis: connection refused)$/gm)?.length,
      10,
    );
    assert.match(stderr, /more: fairlead why service\/web --scope shop/);
  });

  test("up waits for who waits while another has failed for good, unless it waits for that one", async () => {
    makeAll("ok");
    const set = (
      at: number,
      state: "degraded" | "waiting" | "ok",
      dependsOn: string[] = [],
    ): void => {
      const [service] = api.fake.services.slice(at, at + 1);
      assert.ok(service);
      api.fake.services[at] = { ...service, state, dependsOn, reason: `is ${state}` };
    };
    set(0, "degraded");
    set(1, "waiting");
    const pending = run("up --no-build");
    await Promise.race([api.fake.awaitCalls("scope", 2), pending]);
    set(1, "ok");
    const { code, stderr } = await pending;
    assert.equal(code, 1, stderr);
    assert.match(stderr, /! db .*waiting[^]*✓ db .*ok[^]*web is degraded: is degraded/);
    // In vain, also through another.
    set(1, "waiting", ["web"]);
    set(2, "waiting", ["db"]);
    const inVain = await run("up --no-build --timeout 20s");
    assert.equal(inVain.code, 1, inVain.stderr);
  });

  test("up exits 5 when the time runs out, and says who is waited for", async () => {
    makeAll("ok");
    const [web] = api.fake.services;
    assert.ok(web);
    api.fake.services[0] = { ...web, state: "starting", reason: "waits for its health check" };
    const { code, stderr } = await run("up --no-build --timeout 300ms");
    assert.equal(code, 5);
    assert.match(stderr, /error FL0615 wait-expired[^]*waiting +web\n/);
  });

  test("up --detach does not wait", async () => {
    makeAll("starting");
    assert.equal((await run("up --no-build -d")).code, 0);
    assert.ok(!called().includes("scope"));
  });

  test("plan, up --dry-run, down --dry-run and config change nothing", async () => {
    for (const line of [
      "plan",
      "plan --exit-code",
      "up --dry-run",
      "up --dry-run --build",
      "config",
      "config -q",
    ]) {
      const { code, stderr } = await run(line);
      assert.equal(code, line.includes("--exit-code") ? 1 : 0, `${line}: ${stderr}`);
    }
    assert.deepEqual(writes(), []);
    await run("down --dry-run");
    const [down] = api.fake.calls.filter((call) => call.name === "down");
    assert.match(JSON.stringify(down?.args), /"dryRun":true/);
  });

  test("up --plan sends the plan, and exits 4 when it no longer holds", async () => {
    makeAll("ok");
    const { stdout } = await run("plan -o json");
    await writeFile(join(directory, "plan.json"), stdout);
    assert.equal((await run("up --no-build --plan plan.json")).code, 0);
    await writeFile(join(directory, "old.json"), stdout.replace('"8841"', '"8840"'));
    const { code, stderr } = await run("up --no-build --plan old.json");
    assert.equal(code, 4);
    assert.match(stderr, /^error FL0703 plan-out-of-date/m);
  });

  test("--scale changes the replicas and nothing else; a wrong one is refused before anything is asked", async () => {
    makeAll("ok");
    await run("up --no-build --scale web=7");
    const apply = api.fake.calls.find((call) => call.name === "apply");
    assert.match(JSON.stringify(apply?.args), /"name":"web","replicas":7/);
    api.fake.calls.length = 0;
    for (const scale of ["wbe=2", "web=-1", "web=many", "web=10001"]) {
      const { code, stderr } = await run(`up --scale ${scale}`);
      assert.equal(code, 2);
      assert.match(stderr, /^error FL0605 bad-value/m);
    }
    assert.deepEqual(called(), []);
  });

  test("a broken file exits 2 with its place, and nothing is asked", async () => {
    for (const [name, text, says] of [
      ["key.yaml", "services:\n  a:\n    imag: x\n", /FL0205 [^]*at +key\.yaml:3:5/],
      ["yaml.yaml", "services: [\n", /FL0202 [^]*yaml\.yaml:/],
      ["empty.yaml", "", /FL02\d\d /],
      ["context.yaml", "services:\n  a:\n    build: ./nosuch\n", /FL0608 [^]*context\.yaml:2/],
    ] as const) {
      await writeFile(join(directory, name), text);
      const { code, stderr, stdout } = await run(`up -f ${name}`);
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
      assert.equal(stdout, "");
    }
    assert.equal((await run("up -f nosuch.yaml")).code, 2);
    assert.deepEqual(called(), []);
  });

  test("down waits until the node no longer knows the scope", async () => {
    const pending = run("down -v");
    await api.fake.awaitCalls("scope");
    api.fake.services.length = 0;
    const { code, stderr } = await pending;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /removed shop\n$/);
    const [down] = api.fake.calls.filter((call) => call.name === "down");
    assert.match(JSON.stringify(down?.args), /"volumes":true/);
  });

  test("down without -v says which volumes it keeps, and how they go too", async () => {
    api.fake.volumes.push("shop_data");
    const rehearsed = await run("down --dry-run");
    const kept = "1 volume with its data: shop_data (fairlead down -v --scope shop)";
    assert.equal(rehearsed.stderr, `keeps ${kept}\n`);
    api.fake.services.length = 0;
    const { code, stderr } = await run("down");
    assert.equal(code, 0, stderr);
    assert.ok(stderr.endsWith(`removed shop; kept ${kept}\n`), stderr);
  });

  test("down that cannot end says what is still there, and what the engine said of it", async () => {
    api.fake.removing = true;
    const result = "the engine says that the network is in use";
    const left = {
      act: "network.remove",
      object: "shop_default",
      outcome: "failed",
      result,
    } as const;
    for (const id of ["dec_0000000000000X", "dec_0000000000000Y"])
      api.fake.decisions.unshift(createDecision(id, Date.now(), left));
    const { code, stderr } = await run("down --timeout 300ms");
    assert.equal(code, 5, stderr);
    assert.match(
      stderr,
      /^✗ shop_default is still there: the engine says that the network is in use$/m,
    );
    assert.match(stderr, /error FL0615 wait-expired[^]*waiting +shop_default\n/);
    assert.equal(stderr.match(/is still there/g)?.length, 1);
  });

  test("pause and resume say for whom and how long", async () => {
    const paused = await run("pause web --for 10m");
    assert.equal(paused.stderr, "automation is paused for 10m for web of shop\n");
    assert.match(JSON.stringify(api.fake.calls.at(-1)?.args), /"forMs":600000/);
    assert.equal((await run("resume web")).stderr, "automation goes on for web of shop\n");
    for (const line of ["pause web --dry-run", "resume web --dry-run"]) {
      const { code, stderr, stdout } = await run(line);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^plan pl_\S+ for shop: /);
      assert.equal(stderr, "");
      assert.match(JSON.stringify(api.fake.calls.at(-1)?.args), /"dryRun":true/);
    }
  });

  test("a reason goes along with whatever changes something", async () => {
    for (const line of [
      "up --no-build -d",
      "down -d",
      "restart web -d",
      "pause web",
      "resume web",
    ]) {
      const { code, stderr } = await run(`${line} --reason disk-swap`);
      assert.equal(code, 0, stderr);
      const [name, ...args] = [api.fake.calls.at(-1)?.name, api.fake.calls.at(-1)?.args];
      assert.match(JSON.stringify(args), /"reason":"disk-swap"/, `${line} as ${name}`);
    }
    const { code, stderr } = await run(`pause web --reason ${"x".repeat(501)}`);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^error FL0605 [^]*--reason/);
  });

  test("topology set and rm say what they would do, and why", async () => {
    await writeFile(join(directory, "ring.yaml"), "kind: ring\n");
    const asked = () => JSON.stringify([api.fake.calls.at(-1)?.name, api.fake.calls.at(-1)?.args]);
    for (const line of ["topology set ring.yaml --dry-run", "topology rm --dry-run"]) {
      const { code, stderr, stdout } = await run(`${line} --scope shop --reason x`);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^plan pl_\S+ for shop: /);
    }
    assert.deepEqual(called(), ["planTopology", "planTopology"]);
    assert.match(JSON.stringify(api.fake.calls[0]?.args), /"kind":"ring"/);
    assert.equal(api.fake.calls[1]?.args[1], undefined);
    await run("topology set ring.yaml --scope shop --reason disk-swap");
    assert.match(asked(), /^\["declare",.*"kind":"ring".*"reason":"disk-swap"/);
    await run("topology rm --scope shop --reason disk-swap");
    assert.match(asked(), /^\["remove",.*"reason":"disk-swap"/);
  });

  test("config prints a file that means the same when it is read again", async () => {
    const first = await run("config");
    await writeFile(join(directory, "again.yaml"), first.stdout);
    const second = await run("config -f again.yaml");
    assert.equal(second.stdout, first.stdout);
    assert.deepEqual(called(), []);
  });

  test("an interrupted wait exits 130 and leaves the node at work", async () => {
    makeAll("starting");
    const { code } = await runFairlead(["up", "--no-build"], {
      cwd: directory,
      env: { FAIRLEAD_SOCKET: api.socketPath },
      onOutput: (child) => void child.kill("SIGINT"),
    });
    assert.equal(code, 130);
    assert.deepEqual(writes(), ["apply"]);
  });

  test("names for TAB come from the last list, without a node", async () => {
    const cache = { XDG_CACHE_HOME: join(directory, "cache") };
    await run("services -A", cache);
    const { stdout } = await run("complete service --socket /nosuch", cache);
    assert.equal(stdout, "web\ndb\nworker\nreport\nmigrate\n");
    assert.match(
      await readFile(join(directory, "cache/fairlead/names.json"), "utf8"),
      /^\{"shop":/,
    );
  });
});
