// SPDX-License-Identifier: Apache-2.0
// How an agent's time in the fabric ends without its asking, and what gRPC's health protocol says meanwhile.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { createRouteBoard } from "@fairlead/fabric/route-board.ts";
import { createLinkedParts, linkParts } from "@fairlead/fabric/testing/link-hubs.ts";
import { openHub } from "@fairlead/fabric/testing/open-hub.ts";
import { Client, credentials } from "@grpc/grpc-js";
import { z } from "zod";
import { contract, rpc } from "./contract.ts";
import { join } from "./join.ts";

test("an agent whose ticket is taken from it leaves, revoked", async () => {
  let isRevoked = false;
  await using node = await openHub({
    admit() {
      if (isRevoked)
        throw new FabricError("unauthenticated", "no such ticket", { reason: "ticket" });
    },
  });
  await using agent = await join({ name: "worker", node: node.address });
  isRevoked = true;
  node.hub.close();
  const { reason, error } = await agent.closed;
  assert.equal(reason, "revoked");
  assert.deepEqual(
    [error?.code, error?.reason, error?.message],
    ["unauthenticated", "ticket", "no such ticket"],
  );
  await assert.rejects(agent.call("anybody", "any/thing", {}), FabricError);
});

test("an agent that may give up leaves when its node does not come back", async () => {
  await using node = await openHub();
  const options = { name: "worker", node: node.address, giveUpAfter: "100ms" };
  await using agent = await join(options);
  await using patient = await join({ ...options, giveUpAfter: "1h" });
  await node.stop();
  const { reason, error } = await agent.closed;
  assert.deepEqual([reason, error?.code], ["node-gone", "unavailable"]);
  const [state] = await Array.fromAsync({
    [Symbol.asyncIterator]: () => firstOf(patient.status()),
  });
  assert.equal(state?.state, "reconnecting");
});

async function* firstOf<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const item of items) {
    yield item;
    return;
  }
}

/** `HealthCheckRequest` and `HealthCheckResponse` have one field each: written by hand here. */
function watchHealth(address: string, service: string) {
  const client = new Client(address, credentials.createInsecure());
  const name = Buffer.from(service);
  const call = client.makeServerStreamRequest(
    "/grpc.health.v1.Health/Watch",
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => bytes[1] ?? 0,
    service === "" ? name : Buffer.from([0x0a, name.length, ...name]),
  );
  call.on("error", () => undefined);
  const answers = call[Symbol.asyncIterator]() as AsyncIterator<number>;
  return {
    next: async () => (await answers.next()).value as unknown,
    close() {
      call.cancel();
      client.close();
    },
  };
}

test("gRPC health says when an agent is unwell, a contract is drained, or all of it leaves", async () => {
  const [SERVING, NOT_SERVING, UNKNOWN] = [1, 2, 3];
  await using node = await openHub();
  await using agent = await join({ name: "worker", node: node.address });
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const work = contract("work", "1.0.0", { run: rpc({ in: z.object({}), out: z.string() }) });
  const served = await agent.serve(work, {
    async run() {
      begun.resolve();
      await release.promise;
      return "done";
    },
  });
  const [record] = await agent.find({ name: "worker" });
  const address = record?.addresses[0] ?? "";
  const [whole, one, none] = ["", "work", "none"].map((name) => watchHealth(address, name));
  assert.ok(whole !== undefined && one !== undefined && none !== undefined);
  assert.deepEqual(
    [await whole.next(), await one.next(), await none.next()],
    [SERVING, SERVING, UNKNOWN],
  );
  agent.setHealthy(false);
  assert.deepEqual([await whole.next(), await one.next()], [NOT_SERVING, NOT_SERVING]);
  for await (const change of agent.watch()) if (!change.agent.healthy) break;
  agent.setHealthy(true);
  assert.deepEqual([await whole.next(), await one.next()], [SERVING, SERVING]);
  for await (const change of agent.watch()) if (change.agent.healthy) break;
  await using caller = await join({ name: "caller", node: node.address });
  const running = caller.call("worker", "work/run", {});
  await begun.promise;
  const drained = served.drain("5s");
  assert.equal(await one.next(), NOT_SERVING);
  const left = agent.drain("5s");
  assert.equal(await whole.next(), NOT_SERVING);
  release.resolve();
  assert.equal(await running, "done");
  await Promise.all([drained, left]);
  for (const watching of [whole, one, none]) watching.close();
});

const echo = contract("echo", "1.0.0", { say: rpc({ in: z.string(), out: z.string() }) });

/** Calls on, many at once, while `change` runs. Resolves with what failed, and how many were answered. */
async function callWhile(call: () => Promise<unknown>, change: () => Promise<void>) {
  const failed: string[] = [];
  let answered = 0;
  let isOver = false;
  const callOn = async (): Promise<void> => {
    while (!isOver) {
      try {
        await call();
        answered++;
      } catch (thrown) {
        failed.push(String(thrown));
      }
    }
  };
  const calling = Promise.all(Array.from({ length: 20 }, callOn));
  try {
    await change();
  } finally {
    isOver = true;
    await calling;
  }
  return { failed, answered };
}

test("calls between agents of two nodes go on while the link between those is replaced", async () => {
  const [a, b] = [createLinkedParts("a"), createLinkedParts("b")];
  const routes = createRouteBoard();
  await using near = await openHub({ ...a.hub, routes });
  await using far = await openHub({ ...b.hub, routes });
  await linkParts(a, b);
  await using server = await join({ name: "server", node: far.address, listen: false });
  let begun = 0;
  await server.serve(echo, {
    async say(text) {
      begun++;
      await new Promise(setImmediate);
      return text;
    },
  });
  await using caller = await join({ name: "caller", node: near.address, listen: false });
  const client = caller.client(echo);
  for await (const { agent } of caller.watch()) if (agent.contracts.length > 0) break;
  const { failed, answered } = await callWhile(
    () => client.say("hi"),
    async () => {
      for (let times = 0; times < 20; times++) {
        await (times % 2 === 0 ? linkParts(b, a) : linkParts(a, b));
        for (let turn = 0; turn < 5; turn++) await client.say("between");
      }
    },
  );
  assert.deepEqual(failed, []);
  assert.equal(begun, answered + 100);
  for (const { nodes } of [a, b]) nodes.close();
});

test("a call straight to a peer has its answer though that one's node is gone meanwhile", async () => {
  const [a, b] = [createLinkedParts("a"), createLinkedParts("b")];
  const routes = createRouteBoard();
  await using near = await openHub({ ...a.hub, routes });
  await using far = await openHub({ ...b.hub, routes });
  await linkParts(a, b);
  await using server = await join({ name: "server", node: far.address });
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<string>();
  await server.serve(echo, {
    say() {
      begun.resolve();
      return release.promise;
    },
  });
  await using caller = await join({ name: "caller", node: near.address });
  for await (const { agent } of caller.watch()) if (agent.contracts.length > 0) break;
  const running = caller.client(echo).say("hi");
  await begun.promise;
  const changes = caller.watch({ name: "server" });
  await changes.next();
  b.nodes.close();
  for await (const { type } of changes) if (type === "gone") break;
  release.resolve("done");
  assert.equal(await running, "done");
});
