// SPDX-License-Identifier: Apache-2.0
// Kept sockets that the engine closes just when they are used again.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createConnection } from "./connection.ts";

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
