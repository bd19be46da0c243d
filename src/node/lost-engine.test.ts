// SPDX-License-Identifier: Apache-2.0
// What a node says while its engine does not answer, as while that is started again.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createRegistry } from "@fairlead/fabric/registry.ts";
import { silentLogger } from "#base/logger.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import { createFarewells, type Farewells } from "#control/farewells.ts";
import { createNaming } from "#control/naming.ts";
import { buildBoard } from "#control/testing/build-board.ts";
import { encodeName, TYPE } from "#discovery/dns/wire.ts";
import { createZone } from "#discovery/dns/zone.ts";
import { createDockerEngine } from "#engine/drivers/docker/driver.ts";
import type { Engine } from "#engine/engine.ts";
import { startSmallEngine, type SmallEngine } from "#engine/testing/small-engine.ts";
import { OWN_LABELS } from "#model/facts.ts";
import { createSystemClock } from "./system-clock.ts";

const PATIENCE_MS = 10_000;
const NAME = encodeName("web.shop.fairlead.internal");
const LABELS = { [OWN_LABELS.scope]: "shop", [OWN_LABELS.service]: "web" };

const zone = createZone();
const ending = new AbortController();
let server: SmallEngine;
let engine: Engine;
let board: FactsBoard;
let farewells: Farewells;
let running: Promise<unknown>;

before(async () => {
  server = await startSmallEngine();
  server.containers.push({ id: "one", labels: LABELS, address: "10.0.0.1" });
  const [clock, logger] = [createSystemClock(), silentLogger];
  const docker = { endpoint: `unix://${server.socketPath}`, env: {} };
  engine = createDockerEngine(docker, { clock, random: Math.random });
  board = buildBoard(engine, clock);
  farewells = createFarewells({ board, fleet: undefined, life: "1", clock });
  const standing = { find: () => [], onChange: () => () => undefined };
  const fabric = { everyone: createRegistry() };
  const naming = createNaming({ zone, board, fabric, farewells, standing, logger });
  const { signal } = ending;
  running = Promise.all([board.run(signal), naming.run(signal)]);
  await until(() => readAddresses() === "10.0.0.1");
});
after(async () => {
  ending.abort();
  await running;
  await engine[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** Undefined: the name is not there. */
function readAddresses(): string | undefined {
  const found = zone.find(NAME);
  return found && (found.records.get(TYPE.A) ?? []).map(({ bytes }) => bytes.join(".")).join();
}

async function until(isSo: () => boolean): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!isSo()) {
    assert.ok(performance.now() < endMs, "not in time");
    await nextTurn();
  }
}

test("its containers keep their names, and what is there afterwards has them", async () => {
  await server.kill();
  await until(() => !board.ready);
  // What follows from it is done a turn later.
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  assert.equal(readAddresses(), "10.0.0.1");
  server.containers.splice(0, 1, { id: "two", labels: LABELS, address: "10.0.0.2" });
  await server.start();
  await until(() => board.ready);
  await until(() => readAddresses() === "10.0.0.2");
  // What it asked meanwhile has left nothing open but what is kept for the next question.
  await until(() => server.followers.size === 1);
});

test("a service whose only container is about to be stopped keeps its name, without an address", async () => {
  using _parted = await farewells.part({ id: "two", scope: "shop" });
  assert.equal(readAddresses(), "");
});
