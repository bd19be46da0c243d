// SPDX-License-Identifier: Apache-2.0
// Kept sockets: those that the engine closes just when they are used again, and those that nobody uses.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { startSmallEngine } from "#engine/testing/small-engine.ts";
import { createConnection } from "./connection.ts";

const BURST = 12;
const IDLE_MS = 200;
const PATIENCE_MS = 5_000;

test("a question on a socket that was closed meanwhile is asked once more, a write is not", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-connection-"));
  const used = new WeakSet<Socket>();
  const asked: string[] = [];
  const server = createServer((request, answer) => {
    asked.push(`${request.method} ${request.url}`);
    // The second request on a socket finds it closed, as after a restart of the engine.
    if (used.has(request.socket)) return void request.socket.destroy();
    used.add(request.socket);
    answer.setHeader("Api-Version", "1.41");
    answer.end("{}");
  });
  const socketPath = join(directory, "engine.sock");
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const endpoint = { kind: "unix", socketPath, text: `unix://${socketPath}` } as const;
  const connection = createConnection(endpoint, { readOnly: false });
  t.after(() => {
    connection.close();
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** An answer that was read gives its socket back a moment later. */
  const call = async (method: string, path: string): Promise<unknown> => {
    await nextTurn();
    return connection.call(method, path);
  };
  const count = (end: string): number => asked.filter((line) => line.endsWith(end)).length;

  await call("GET", "/fresh");
  assert.deepEqual(await call("GET", "/kept"), {});
  assert.equal(count("/fresh"), 1);
  assert.equal(count("/kept"), 2);

  // The socket of the first ping is left, and used already.
  await assert.rejects(call("POST", "/kept-write"), /cannot reach the engine/);
  assert.equal(count("/kept-write"), 1);
});

test("what a burst of questions needed is closed once nobody uses it, and a slow answer is waited for", async () => {
  await using engine = await startSmallEngine();
  const { socketPath, connections } = engine;
  const endpoint = { kind: "unix", socketPath, text: `unix://${socketPath}` } as const;
  const connection = createConnection(endpoint, { readOnly: true, idleMs: IDLE_MS });
  using _closed = { [Symbol.dispose]: () => connection.close() };
  engine.onQuestion = async (path) => {
    if (path === "/info") await sleep(3 * IDLE_MS);
  };
  const all = Array.from({ length: BURST }, () => connection.call("GET", "/networks"));
  await Promise.all(all);
  assert.ok(connections.size >= BURST);
  const signal = AbortSignal.timeout(PATIENCE_MS);
  await Promise.all([...connections].map((socket) => once(socket, "close", { signal })));
  assert.deepEqual(await connection.call("GET", "/info"), {});
});
