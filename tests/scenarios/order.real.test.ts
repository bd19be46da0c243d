// SPDX-License-Identifier: Apache-2.0
// C06: depends_on on a real engine: the order, all conditions, a fan of 101 services, failure, stopping.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { IMAGE, openRig, type Rig } from "#lab/rig.ts";

let rig: Rig;

before(async () => {
  rig = await openRig();
  await rig.startNode();
});
after(async () => {
  await rig[Symbol.asyncDispose]();
});

const service = (name: string, body: string): string =>
  `  ${name}:\n    image: ${IMAGE}\n    network_mode: none\n    stop_grace_period: 0s\n${body}`;

function write(scope: string, services: readonly string[]): string {
  const folder = join(rig.directory, scope);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "compose.yaml");
  writeFileSync(file, `name: ${scope}\nservices:\n${services.join("")}`);
  return file;
}

const up = (file: string, ...more: readonly string[]) =>
  rig.cli(["up", "-f", file, "--progress", "quiet", ...more]);

async function readScope(scope: string) {
  const instances = await rig.engine.listInstances();
  return new Map(instances.filter((one) => one.scope === scope).map((one) => [one.service, one]));
}

test("C06: each waits for what it needs: started, healthy, completed; what is not required is not waited for", async () => {
  const file = write("order", [
    service("seed", `    command: [sh, -c, "sleep 1; exit 0"]\n    restart: "no"\n`),
    service(
      "db",
      `    command: [sh, -c, "sleep 1; touch /ready; sleep 1000000"]\n` +
        `    healthcheck: { test: [CMD, test, -f, /ready], interval: 300ms, retries: 20 }\n`,
    ),
    service("cache", "    depends_on: [db]\n"),
    service(
      "app",
      "    depends_on:\n      db: { condition: service_healthy }\n" +
        "      seed: { condition: service_completed_successfully }\n      cache: { condition: service_started }\n" +
        "      extra: { condition: service_started, required: false }\n",
    ),
    service("extra", "    profiles: [none]\n"),
  ]);
  const { code, stderr } = await up(file);
  assert.equal(code, 0, stderr);
  const found = await readScope("order");
  const started = (name: string) => found.get(name)?.startedAtMs ?? Number.NaN;
  assert.ok(started("cache") >= started("db"));
  assert.ok(started("app") >= (found.get("seed")?.finishedAtMs ?? Number.NaN));
  assert.ok(started("app") >= started("db") + 1_000, "db is healthy a second after its start");
  assert.equal(found.has("extra"), false);
  const down = await rig.cli(["down", "--scope", "order", "--progress", "plain"]);
  assert.equal(down.code, 0, down.stderr);
  const { body } = await rig.ask<{ items: { act: string; service?: string }[] }>(
    "decisions?scope=order&limit=200",
  );
  const removed = body.items
    .filter(({ act }) => act === "instance.remove")
    .map(({ service: name }) => name)
    .toReversed();
  for (const [first, then] of [
    ["app", "db"],
    ["app", "cache"],
    ["cache", "db"],
    ["app", "seed"],
  ] as const)
    assert.ok(
      removed.indexOf(first) < removed.indexOf(then),
      `${removed.join(" ")}: ${first} before ${then}`,
    );
});

test("C06: what a failed service was needed for does not start, and says whose fault it is", async () => {
  const file = write("fails", [
    service("seed", `    command: [sh, -c, "exit 3"]\n    restart: "no"\n`),
    service("app", "    depends_on:\n      seed: { condition: service_completed_successfully }\n"),
  ]);
  const { code, stderr } = await up(file, "--timeout", "20s");
  assert.notEqual(code, 0);
  assert.match(stderr, /seed/);
  const why = await rig.cli(["why", "service/app", "--scope", "fails"]);
  assert.match(why.stdout, /seed/);
  assert.notEqual((await readScope("fails")).get("app")?.state, "running");
  await rig.cli(["down", "--scope", "fails", "--progress", "quiet"]);
});

test("C06: a circle is refused with its members, and nothing is made", async () => {
  const file = write("circle", [
    service("a", "    depends_on: [b]\n"),
    service("b", "    depends_on: [c]\n"),
    service("c", "    depends_on: [a]\n"),
  ]);
  const { code, stderr } = await up(file);
  assert.equal(code, 2);
  assert.match(stderr, /a.*b.*c/s);
  assert.equal((await readScope("circle")).size, 0);
});

test("C06: a hundred services that need one, and one that needs the hundred", async () => {
  const names = Array.from({ length: 100 }, (_, index) => `leaf${index}`);
  const file = write("fan", [
    service("root", ""),
    ...names.map((name) => service(name, "    depends_on: [root]\n")),
    service("last", `    depends_on: [${names.join(", ")}]\n`),
  ]);
  const { code, stderr } = await up(file, "--timeout", "110s");
  assert.equal(code, 0, stderr);
  const found = await readScope("fan");
  assert.equal(found.size, 102);
  const started = (name: string) => found.get(name)?.startedAtMs ?? Number.NaN;
  for (const name of names) {
    assert.ok(started(name) >= started("root"), name);
    assert.ok(started("last") >= started(name), name);
  }
  const down = await rig.cli(["down", "--scope", "fan", "--progress", "quiet"]);
  assert.equal(down.code, 0, down.stderr);
});
