// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { test } from "node:test";
import { join } from "@fairlead/sdk";
import { Client, credentials } from "@grpc/grpc-js";
import { openTestFabric } from "./testing/open-test-fabric.ts";

test("gRPC health of a node: it serves until it leaves, and whoever watches is told", async () => {
  const directory = mkdtempSync(joinPath(tmpdir(), "fairlead-health-"));
  const fabric = await openTestFabric(directory);
  const [address = ""] = fabric.addresses;
  // Somebody has to be there, or the node is gone at once.
  const agent = await join({ name: "worker", node: address, listen: false });
  const client = new Client(address, credentials.createInsecure());
  const watching = client.makeServerStreamRequest(
    "/grpc.health.v1.Health/Watch",
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => bytes[1] ?? 0,
    Buffer.alloc(0),
  );
  watching.on("error", () => undefined);
  const answers = watching[Symbol.asyncIterator]() as AsyncIterator<number>;
  assert.equal((await answers.next()).value, 1);
  const left = fabric[Symbol.asyncDispose]();
  assert.equal((await answers.next()).value, 2);
  await agent[Symbol.asyncDispose]();
  await left;
  client.close();
  rmSync(directory, { recursive: true });
});
