// SPDX-License-Identifier: Apache-2.0
// Three nodes of one fleet on a real etcd: who dies, pauses, leaves or comes back is seen by the others. They have no
// engines, which a roll does not need.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import { startEtcd, type EtcdCluster } from "#lab/etcd.ts";
import { until } from "#lab/rig.ts";
import { createFleetProcess, type FleetProcess } from "./fleet-process.ts";

const PATIENCE_MS = 30_000;
interface TestNode extends Omit<FleetProcess, "cli"> {
  /** State of another one, as this one sees it. */
  stateOf(name: string): Promise<string | undefined>;
  cli(...args: readonly string[]): string;
}

let cluster: EtcdCluster;
let directory: string;
const nodes: TestNode[] = [];

function createNode(index: number, name?: string): TestNode {
  const node = createFleetProcess(directory, cluster, index, name);
  return {
    ...node,
    async stateOf(other) {
      const { items } = await node.ask<NodeView>("nodes");
      return items.find((item) => item.name === other)?.state;
    },
    cli: (...args) => node.cli(...args).text,
  };
}

async function awaitState(by: readonly TestNode[], of: TestNode, state: string): Promise<void> {
  for (const node of by)
    await until(
      `${node.name} sees ${of.name} as ${state}`,
      PATIENCE_MS,
      async () => (await node.stateOf(of.name)) === state,
    );
}

/** Who went and came back, as a node has noted; that all have joined, it notes too. */
async function listTurns(node: TestNode): Promise<readonly string[]> {
  const { items } = await node.ask<Decision>(`decisions?node=${node.name}`);
  const turns = items.filter(({ act }) => act !== "node.join");
  return turns.map(({ act, object }) => `${act} ${object}`).toReversed();
}

before(async () => {
  cluster = await startEtcd();
  directory = mkdtempSync(join(tmpdir(), "fairlead-nodes-"));
  nodes.push(createNode(0), createNode(1), createNode(2));
  await Promise.all(nodes.map((node) => node.start()));
});
after(async () => {
  for (const node of nodes) await node.signal("SIGKILL");
  await cluster?.[Symbol.asyncDispose]();
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

test("each sees the others alive, with round trips and clocks, and itself first", async () => {
  const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
  await awaitState([a, b], c, "alive");
  await awaitState([a, c], b, "alive");
  await until("both were measured", PATIENCE_MS, async () =>
    (await a.ask<NodeView>("nodes")).items.every(({ self, rttMs }) => self || rttMs !== undefined),
  );
  const { items } = await a.ask<NodeView>("nodes");
  assert.deepEqual(
    items.map(({ name, self, lease }) => [name, self, lease]),
    [
      ["node-a", true, undefined],
      ["node-b", false, true],
      ["node-c", false, true],
    ],
  );
  const [, shown = ""] = a.cli("nodes").split("\n");
  assert.match(
    shown,
    /^node-a \(this\) +alive +(?:-|leads) +- +- +- +127\.\d+\.\d+\.1:17120 +\d+ +[\d.]+GiB +its engine does not answer: .*no-engine\.sock$/,
  );
  assert.match(
    a.cli("nodes"),
    /\nnode-b +alive +(?:-|leads) +[\d.]+ms +(?:-|\d+) +none +127\.\d+\.\d+\.2:17120 /,
  );
});

test("a pause of three seconds makes nobody gone; who is killed is gone, with a decision, and comes back", async () => {
  const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
  await c.signal("SIGSTOP");
  await awaitState([a, b], c, "suspect");
  await c.signal("SIGCONT");
  await awaitState([a, b, c], c, "alive");
  await awaitState([c], a, "alive");
  assert.deepEqual(await listTurns(a), []);
  assert.deepEqual(await listTurns(c), []);

  await c.signal("SIGKILL");
  await awaitState([a, b], c, "gone");
  await c.start();
  await awaitState([a, b], c, "alive");
  await until("it was recorded", PATIENCE_MS, async () => (await listTurns(a)).length === 2);
  assert.deepEqual(await listTurns(a), ["node.gone node/node-c", "node.back node/node-c"]);
});

test("who ends says so, and is not suspected first", async () => {
  const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
  await c.signal("SIGTERM");
  await awaitState([a, b], c, "left");
  assert.match(a.cli("nodes"), /\nnode-c +left .* said that it leaves\n/);
  await c.start();
  await awaitState([a, b], c, "alive");
});

test("a second node of the same name is not taken in, and says why", async () => {
  const double = createNode(3, "node-b");
  await double.start();
  try {
    await until("it is said", PATIENCE_MS, async () => {
      const { missing } = await double.ask<NodeView>("nodes");
      return missing.some((line) =>
        line.includes("another node of the fleet harbour is called node-b"),
      );
    });
    const seen = (await nodes[0]?.ask<NodeView>("nodes"))?.items.map(({ name }) => name);
    assert.deepEqual(seen, ["node-a", "node-b", "node-c"]);
  } finally {
    await double.signal("SIGTERM");
  }
});

test("without the store the others are still seen, and it is said that the roll may be old", async () => {
  const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
  await cluster.members[0]?.signal("SIGKILL");
  await until("it is said", PATIENCE_MS, async () => {
    const { missing } = await a.ask<NodeView>("nodes");
    return missing.some((line) => line.startsWith("the fleet's store: "));
  });
  await awaitState([a, b], c, "alive");
  await c.signal("SIGKILL");
  await awaitState([a, b], c, "gone");
  await c.start();
  await cluster.members[0]?.start();
  await awaitState([a, b], c, "alive");
  await until(
    "the roll is whole again",
    PATIENCE_MS,
    async () => (await a.ask<NodeView>("nodes")).missing.length === 0,
  );
});
