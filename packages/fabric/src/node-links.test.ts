// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import { recordOf } from "@fairlead/protocol/testing/record-of.ts";
import type { FabricError } from "./errors.ts";
import { Link } from "./link.ts";
import { createMemoryTransports } from "./memory-transport.ts";
import { pingNode } from "./node-links.ts";
import { createLinkedParts, linkParts, type LinkedParts } from "./testing/link-hubs.ts";

const agent = (id: string, more: Partial<AgentRecord> = {}): AgentRecord =>
  recordOf("web", { id, ...more });

/** Resolves once a directory is as wanted. */
async function until({ directory }: LinkedParts, holds: () => boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (!holds()) return;
      stop();
      resolve();
    };
    const stop = directory.watch(look);
    look();
  });
}

const draw = ({ directory }: LinkedParts): string =>
  directory
    .list()
    .map(({ id, node, healthy }) => `${id}@${node}${healthy ? "" : " ill"}`)
    .toSorted()
    .join(" ");

test("who joined one node is known on the other, with the node, and goes with the link", async () => {
  const [a, b] = [createLinkedParts("a"), createLinkedParts("b")];
  a.hub.registry.put(agent("web.1", { node: "a" }));
  await linkParts(a, b);
  b.hub.registry.put(agent("web.2", { node: "elsewhere" }));
  await until(a, () => draw(a) === "web.1@a web.2@b");
  await until(b, () => draw(b) === "web.1@a web.2@elsewhere");
  const reasons: string[] = [];
  b.directory.watch((change) => void (change.type === "gone" && reasons.push(change.reason)));
  a.nodes.get("b")?.close();
  await until(b, () => draw(b) === "web.2@elsewhere");
  assert.deepEqual(reasons, ["connection-lost"]);
  assert.equal(b.nodes.named("a"), undefined);
});

test("agents of a node that is suspected count as ill until it is heard again", async () => {
  const [a, b] = [createLinkedParts("a"), createLinkedParts("b")];
  b.hub.registry.put(agent("web.1"));
  await linkParts(a, b);
  await until(a, () => draw(a) === "web.1@b");
  a.nodes.setSuspects(new Set(["b"]));
  assert.equal(draw(a), "web.1@b ill");
  b.hub.registry.put(agent("web.2"));
  await until(a, () => draw(a) === "web.1@b ill web.2@b ill");
  a.nodes.setSuspects(new Set());
  assert.equal(draw(a), "web.1@b web.2@b");
});

test("a new link takes the place of the former without anybody going, and forgets who left meanwhile", async () => {
  const [a, b] = [createLinkedParts("a"), createLinkedParts("b")];
  b.hub.registry.put(agent("web.1"));
  b.hub.registry.put(agent("web.2"));
  await linkParts(a, b);
  await until(a, () => draw(a) === "web.1@b web.2@b");
  const gone: string[] = [];
  a.directory.watch((change) => void (change.type === "gone" && gone.push(change.agent.id)));
  const former = a.nodes.get("b");
  await linkParts(a, b);
  assert.notEqual(a.nodes.get("b"), former);
  b.hub.registry.remove("web.2", "left");
  await until(a, () => draw(a) === "web.1@b");
  former?.close();
  assert.deepEqual([draw(a), gone], ["web.1@b", ["web.2"]]);
});

test("who was dialled keeps the former link until the other gives it up, which may not know of the new one yet", async () => {
  const [a, b] = [createLinkedParts("a"), createLinkedParts("b")];
  await linkParts(a, b);
  const former = b.nodes.get("a");
  const [near, far] = createMemoryTransports();
  const self = { id: "a", name: "a", scope: "" };
  const replacing = new Link({ transport: near, dialled: true, self, accept: () => undefined });
  const used = await b.nodes.take(far, self, { dialled: false });
  assert.equal(b.nodes.get("a"), used);
  assert.equal(former?.draining, false);
  a.nodes.close();
  replacing.close();
});

test("an agent is where its own node says; another one cannot take its place", async () => {
  const [a, b] = [createLinkedParts("a"), createLinkedParts("b")];
  a.hub.registry.put(agent("web.1", { node: "a" }));
  b.hub.registry.put(agent("web.1"));
  b.hub.registry.put(agent("web.2"));
  await linkParts(a, b);
  await until(a, () => draw(a).includes("web.2"));
  assert.equal(draw(a), "web.1@a web.2@b");
});

test("what nodes say of themselves reaches those who come later too, the latest of each", async () => {
  const [a, b] = [createLinkedParts("a"), createLinkedParts("b")];
  a.nodes.tell("ways", [1]);
  a.nodes.tell("ways", [2]);
  const told: unknown[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  b.nodes.onTold(({ id }, key, value) => {
    told.push([id, key, value]);
    if (key === "names") resolve();
  });
  await linkParts(a, b);
  a.nodes.tell("names", ["x"]);
  await promise;
  assert.deepEqual(told, [
    ["a", "ways", [2]],
    ["a", "names", ["x"]],
  ]);
});

test("a node answers pings of any size, and one that is another than was meant is not linked", async () => {
  const [a, b, c] = [createLinkedParts("a"), createLinkedParts("b"), createLinkedParts("c")];
  await linkParts(a, b);
  const link = a.nodes.get("b");
  assert.ok(link !== undefined);
  assert.ok((await pingNode(link)) >= 0 && (await pingNode(link, 262_144)) >= 0);
  const [near, far] = createMemoryTransports();
  const taken = c.nodes.take(far, { id: "a", name: "a" }, { dialled: false });
  taken.catch(() => undefined);
  await assert.rejects(
    a.nodes.take(near, { id: "b", name: "b" }, { dialled: true }),
    (error: FabricError) => error.code === "unauthenticated",
  );
  assert.equal(a.nodes.get("b"), link);
});
