// SPDX-License-Identifier: Apache-2.0
// A peer that stands still while its kernel goes on: nothing breaks, and nothing comes any more.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { FabricError } from "@fairlead/fabric/errors.ts";
import { dial } from "./dial.ts";

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
