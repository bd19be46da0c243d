// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Http2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { EtcdConnection } from "./connection.ts";

const PATIENCE_MS = 30_000;
const UNAVAILABLE = "14";
const HEAD = { ":status": 200, "content-type": "application/grpc" };

/** What etcd says that has nothing to say. */
const EMPTY = Buffer.alloc(5);

function refuse(stream: ServerHttp2Stream): void {
  stream.respond({ ...HEAD, "grpc-status": UNAVAILABLE }, { endStream: true });
}

function answer(stream: ServerHttp2Stream): void {
  stream.respond(HEAD, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(EMPTY);
}

/** A member of a cluster, as far as this goes. */
async function startMember(serve: (stream: ServerHttp2Stream) => void) {
  const server = createServer().on("stream", serve);
  const sessions = new Set<Http2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    sessions,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

test("the connection to a member that was left for another is closed after a while", async () => {
  await using first = await startMember(refuse);
  await using second = await startMember(answer);
  const clock = {
    nowMs: Date.now,
    monotonicMs: () => performance.now(),
    sleep: (delayMs: number) => sleep(delayMs),
  };
  const endpoints = [first.endpoint, second.endpoint];
  const connection = new EtcdConnection({ endpoints, idleMs: 1_000 }, clock);
  using _closed = { [Symbol.dispose]: () => connection.close() };
  const ask = () => connection.call("KV/Range", { key: Buffer.of(1) }, { repeatable: true });
  await ask();
  const [session, ...others] = first.sessions;
  assert.ok(session !== undefined && others.length === 0);
  await once(session, "close", { signal: AbortSignal.timeout(PATIENCE_MS) });
  await ask();
  assert.deepEqual([first.sessions.size, second.sessions.size], [0, 1]);
});
