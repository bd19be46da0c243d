// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { joinStreams } from "./join-streams.ts";

/** Both ends of a connection. */
async function openPair(): Promise<readonly [Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const near = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  const [far] = (await once(server, "connection")) as [Socket];
  server.close();
  for (const end of [near, far]) end.on("error", () => undefined);
  return [near, far];
}

/** The outer ends of two connections that are joined in the middle. */
async function openJoined(): Promise<{ readonly near: Socket; readonly far: Socket }> {
  const [near, one] = await openPair();
  const [other, far] = await openPair();
  const before = one.listenerCount("close");
  joinStreams(one, other);
  const added = one.listenerCount("close") - before;
  assert.ok(added <= 4, `${added}: a socket of TLS has four of its own, and may have ten`);
  return { near, far };
}

test("what is said at one end is heard at the other, and so is that there is no more", async () => {
  const { near, far } = await openJoined();
  near.end("there");
  assert.equal(await text(far), "there");
  far.end("and back");
  assert.equal(await text(near), "and back");
});

test("what breaks one breaks the other", async () => {
  const { near, far } = await openJoined();
  far.resume();
  const ended = once(far, "end");
  near.resetAndDestroy();
  await ended;
});
