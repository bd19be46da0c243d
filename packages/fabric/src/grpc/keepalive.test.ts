// SPDX-License-Identifier: Apache-2.0
// A peer that stands still while its kernel goes on: nothing breaks, and nothing comes any more. And those who are not dead.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { FabricError } from "@fairlead/fabric/errors.ts";
import { dial, openSession } from "./dial.ts";
import { listen } from "./listen.ts";
import { watchSession } from "./session-options.ts";

const LISTENER = `
import { listen } from "@fairlead/fabric/grpc/listen.ts";
const onTransport = (transport) =>
  transport.start({ onBatch: () => {}, onReady: () => {}, onClosed: () => {} });
const { address } = await listen({ at: { host: "127.0.0.1", port: 0 }, onTransport });
console.log(address);
`;

test("a peer that is stopped is noticed by its silence", async () => {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", LISTENER], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const [address] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
    const transport = await dial({ address, keepaliveMs: 1_000 });
    const closed = Promise.withResolvers<FabricError | undefined>();
    transport.start({
      onBatch: () => undefined,
      onReady: () => undefined,
      onClosed: closed.resolve,
    });
    child.kill("SIGSTOP");
    const error = await closed.promise;
    assert.equal(error?.code, "unavailable");
    assert.match(error.message, /no answer to a keepalive for 1000 ms/);
  } finally {
    child.kill("SIGKILL");
  }
});

test("a loop that was busy itself takes nobody for dead", async () => {
  const keepaliveMs = 100;
  const ends: (FabricError | undefined)[] = [];
  const receiver = {
    onBatch: () => undefined,
    onReady: () => undefined,
    onClosed: (error: FabricError | undefined) => void ends.push(error),
  };
  await using listener = await listen({
    at: { host: "127.0.0.1", port: 0 },
    onTransport: (transport) => transport.start(receiver),
    keepaliveMs,
  });
  const transport = await dial({ address: listener.address, keepaliveMs });
  transport.start(receiver);
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let times = 0; times < 8; times++) {
    // Right after the timers that ask, so that no answer is read before they are due again.
    await new Promise((resolve) => setTimeout(resolve, keepaliveMs));
    Atomics.wait(cell, 0, 0, 2.5 * keepaliveMs);
  }
  const told = [...ends];
  transport.close();
  assert.deepEqual(told, []);
});

test("a peer that sends is alive, whatever becomes of a keepalive", async () => {
  const SETTINGS = Buffer.from("000000040000000000", "hex");
  const WINDOW_UPDATE = Buffer.from("00000408000000000000000001", "hex");
  const accepted = Promise.withResolvers<Socket>();
  // Speaks as much HTTP/2 as is needed, and answers no PING.
  const server = createServer((socket) => {
    socket.on("error", () => undefined).resume();
    socket.write(SETTINGS);
    accepted.resolve(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { session } = await openSession({ address: `127.0.0.1:${port}` });
  session.on("error", () => undefined);
  let sent = 0;
  const silent = Promise.withResolvers<number>();
  watchSession(session, 300, () => silent.resolve(sent));
  const socket = await accepted.promise;
  try {
    for (; sent < 80 && !session.destroyed; sent++) {
      socket.write(WINDOW_UPDATE);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(await silent.promise, 80);
  } finally {
    session.destroy();
    socket.destroy();
    server.close();
  }
});
