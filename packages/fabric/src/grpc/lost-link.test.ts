// SPDX-License-Identifier: Apache-2.0
// A peer that dies is a loss, which may be tried again; not a call that somebody gave up.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { FabricError } from "@fairlead/fabric/errors.ts";
import { dial } from "./dial.ts";
import { listen } from "./listen.ts";

for (const way of ["closed", "reset"] as const)
  test(`a connection that is ${way} under a link is unavailable`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "fairlead-lost-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const listener = await listen({
      at: { path: join(directory, "far.sock") },
      onTransport: (transport) =>
        transport.start({
          onBatch: () => undefined,
          onReady: () => undefined,
          onClosed: () => undefined,
        }),
    });
    const sockets: Socket[] = [];
    const relay = createServer((near) => {
      const far = connect({ path: join(directory, "far.sock") });
      sockets.push(near, far);
      for (const socket of [near, far]) socket.on("error", () => undefined);
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
    const at = relay.address();
    assert.ok(typeof at === "object" && at !== null);
    const transport = await dial({ address: `127.0.0.1:${at.port}` });
    const ended = new Promise<FabricError | undefined>((resolve) =>
      transport.start({
        onBatch: () => undefined,
        onReady: () => undefined,
        onClosed: resolve,
      }),
    );
    const [near] = sockets;
    if (way === "closed") near?.destroy();
    else near?.resetAndDestroy();
    const error = await ended;
    assert.deepEqual([error?.code, error?.retryable], ["unavailable", true]);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => relay.close(resolve));
    await listener[Symbol.asyncDispose]();
  });
