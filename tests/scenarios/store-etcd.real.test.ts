// SPDX-License-Identifier: Apache-2.0
// A node that keeps its state in etcd: containers are healed also while etcd is away, nothing is lost when it is back,
// and the state moves to files and back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { NodeStatus } from "@fairlead/protocol/views.ts";
import { startEtcd, type EtcdCluster } from "#lab/etcd.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import { systemClock as clock } from "#store/testing/system-clock.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const FILE = `name: kept\nservices:\n  app:\n    image: ${IMAGE}\n    stop_grace_period: 0s\n`;
const SQLITE = { FAIRLEAD_STORE_KIND: "sqlite" };
const PREFIX = "/scenario/";

let cluster: EtcdCluster;
let scenario: Scenario;
before(async () => {
  cluster = await startEtcd();
  scenario = await openScenario({
    env: {
      FAIRLEAD_STORE_KIND: "etcd",
      FAIRLEAD_STORE_ENDPOINTS: cluster.endpoints.join(","),
      FAIRLEAD_STORE_PREFIX: PREFIX,
    },
  });
  await scenario.up(scenario.file(FILE));
});
after(async () => {
  await scenario?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

const status = async (): Promise<NodeStatus> => (await scenario.rig.ask<NodeStatus>("status")).body;

async function countHeals(): Promise<number> {
  const decisions = await scenario.decisions("kept");
  return decisions.filter((one) => one.trigger.kind === "exit" && one.outcome === "done").length;
}

async function killAndAwaitHeal(): Promise<void> {
  const { engine } = scenario.rig;
  const before_ = await engine.inspectInstance("kept-app-1");
  assert.ok(before_ !== undefined);
  await engine.killInstance(before_.id, { decision: "test" });
  await until("it runs again", 30_000, async () => {
    const now = await engine.inspectInstance("kept-app-1");
    return now?.state === "running" && now.startedAtMs > before_.startedAtMs;
  });
}

test("the node killed with -9 goes on from what etcd has", async () => {
  await scenario.rig.endNode("SIGKILL");
  await scenario.rig.startNode();
  await scenario.settled("kept");
  await killAndAwaitHeal();
  await until("the decision is complete", 10_000, async () => (await countHeals()) === 1, 50);
});

test("while etcd is away containers are healed, and it is said", async () => {
  await cluster.members[0]?.signal("SIGKILL");
  await killAndAwaitHeal();
  await until("it is shown", 20_000, async () => !(await status()).store.writable, 50);
  await until(
    "the alert stands",
    10_000,
    async () => (await status()).alerts.some(({ name }) => name === "StoreUnavailable"),
    50,
  );
});

test("when it is back nothing is missing, without a restart", async () => {
  await cluster.members[0]?.start();
  await until("the store takes writes", 30_000, async () => (await status()).store.writable, 50);
  await until("both decisions are there", 30_000, async () => (await countHeals()) === 2, 50);
  await scenario.up(scenario.file(FILE));
});

test("its state moves to files and back; not while a node runs, not over something", async () => {
  const { rig } = scenario;
  const migrate = (to: string) => rig.cli(["store", "migrate", "--to", to]);
  const running = await migrate("sqlite");
  assert.equal(running.code, 4, running.stderr);
  assert.match(running.stderr, /FL0621 node-runs/);
  await rig.endNode("SIGTERM");
  await using etcd = await openStore({ kind: "etcd", ...cluster, prefix: PREFIX }, { clock });
  const announced = "discovery/members/elsewhere";
  await etcd.transact([{ kind: "put", key: announced, value: {} }]);
  assert.match((await migrate("sqlite")).stderr, /FL0415 store-lived-in/);
  await etcd.transact([{ kind: "delete", key: announced }]);
  const moved = await migrate("sqlite");
  assert.equal(moved.code, 0, moved.stderr);
  assert.match(moved.stderr, /copied \d+ entr(?:y|ies) from etcd to sqlite/);
  const again = await migrate("sqlite");
  assert.match(again.stderr, /FL0411 store-not-empty/);
  const back = await rig.cli(["store", "migrate", "--to", "etcd"], {
    env: { ...rig.env, FAIRLEAD_STORE_PREFIX: "/another/" },
  });
  assert.equal(back.code, 0, back.stderr);
  assert.match(back.stderr, /copied \d+ entr(?:y|ies) from sqlite to etcd/);
  await using another = await openStore(
    { kind: "etcd", ...cluster, prefix: "/another/" },
    { clock },
  );
  const read = async (store: Store) =>
    (await store.list("")).entries.map(({ key, value }) => ({ key, value }));
  assert.deepEqual(
    await read(another),
    await read(etcd),
    "nothing was lost on the way there and back",
  );
  await another.transact([{ kind: "put", key: "copying", value: "sqlite" }]);
  const half = await rig.cli(["node"], { env: { ...rig.env, FAIRLEAD_STORE_PREFIX: "/another/" } });
  assert.match(half.stderr, /FL0414 store-half-copied/);
  Object.assign(rig.env, SQLITE);
  await rig.startNode();
  await scenario.settled("kept");
  assert.equal(await countHeals(), 2);
  assert.match((await rig.cli(["plan", "-f", scenario.file(FILE)])).stdout, /nothing to change/);
});
