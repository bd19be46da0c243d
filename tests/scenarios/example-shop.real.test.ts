// SPDX-License-Identifier: Apache-2.0
// examples/shop as its README says: it comes up in order, answers, survives its store's end, and goes without a rest.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Decision } from "@fairlead/protocol/decision.ts";
import { importNode } from "#lab/images.ts";
import { fetchFrom } from "#lab/reach.ts";
import { openRig, until, type Rig } from "#lab/rig.ts";

const FILE = fileURLToPath(new URL("../../examples/shop/compose.yaml", import.meta.url));
const PORTS = Array.from({ length: 10 }, (_, i) => 8_080 + i);

let rig: Rig;
before(async () => {
  rig = await openRig();
  await importNode(rig.lab, "fairlead-example/node:24", "");
  await rig.startNode();
});
after(() => rig?.[Symbol.asyncDispose]());

const listOwn = async () =>
  (await rig.engine.listInstances()).filter(({ scope }) => scope === "shop");

/** How many orders each web that answers knows of. */
async function readOrders(): Promise<readonly number[]> {
  const answers = await Promise.allSettled(
    PORTS.map((port) => fetchFrom(rig.lab, `http://127.0.0.1:${port}/`)),
  );
  return answers.flatMap((answer) => {
    const orders = answer.status === "fulfilled" ? /^(\d+) orders/.exec(answer.value.text) : null;
    return orders === null ? [] : [Number(orders[1])];
  });
}

test("up: the store first, then the migration, which ends; two webs answer, and the worker's orders arrive", async () => {
  const { code, stderr } = await rig.cli(["up", "-f", FILE, "--timeout", "120s"]);
  assert.equal(code, 0, stderr);
  const states = (await listOwn()).map(({ name, state }) => `${name} ${state}`).sort();
  assert.deepEqual(states, [
    "shop-migrate-1 exited",
    "shop-store-1 running",
    "shop-web-1 running",
    "shop-web-2 running",
    "shop-worker-1 running",
  ]);
  await until("both webs know of an order", 60_000, async () => {
    const orders = await readOrders();
    return orders.length === 2 && orders.every((count) => count > 0);
  });
});

test("the store killed: it is back with its data, the worker is restarted after it, the webs are not", async () => {
  const before = await listOwn();
  const [orders = 0] = await readOrders();
  await rig.engine.killInstance("shop-store-1", { decision: "test" });
  await until("the worker was restarted after the store", 60_000, async () => {
    const { body } = await rig.ask<{ items: Decision[] }>("decisions?scope=shop&limit=50");
    return body.items.some(
      ({ service, trigger, outcome }) =>
        service === "worker" &&
        /store was started again/.test(trigger.detail) &&
        outcome === "done",
    );
  });
  await until("more orders arrive", 60_000, async () => {
    const now = await readOrders();
    return now.length === 2 && now.every((count) => count > orders);
  });
  const webs = (listed: typeof before) =>
    listed
      .filter(({ service }) => service === "web")
      .map(({ id, startedAtMs }) => `${id} ${startedAtMs}`)
      .sort();
  assert.deepEqual(webs(await listOwn()), webs(before));
});

test("down -v: nothing of it is left", async () => {
  const { code, stderr } = await rig.cli(["down", "--scope", "shop", "-v"]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(await listOwn(), []);
  const named = [...(await rig.engine.listNetworks()), ...(await rig.engine.listVolumes())];
  assert.deepEqual(
    named.filter(({ name }) => name.startsWith("shop")),
    [],
  );
});
