// SPDX-License-Identifier: Apache-2.0
// The two ends of the bench `balance`, each a process in its namespace.
// `serve`: says one byte to each who connects to port 80. `call HOST COUNT`: so many connections, some at a time.
import { connect, createServer } from "node:net";

const AT_ONCE = 16;

/** What `call` prints: how many connections a second, and how long each took until its byte was there. */
export interface CallResult {
  readonly perSecond: number;
  readonly p99Us: number;
}

function callOnce(host: string): Promise<number> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: 80 });
    socket.on("error", reject).once("data", () => {
      resolve((performance.now() - began) * 1_000);
      // Without a farewell, so that no port waits for a minute.
      socket.resetAndDestroy();
    });
  });
}

async function call(host: string, count: number): Promise<CallResult> {
  const tookUs: number[] = [];
  const began = performance.now();
  async function work(): Promise<void> {
    while (tookUs.length < count) tookUs.push(await callOnce(host));
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const perSecond = (tookUs.length * 1_000) / (performance.now() - began);
  const sorted = tookUs.toSorted((a, b) => a - b);
  return { perSecond, p99Us: sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN };
}

const [what, host = "", count = "0"] = process.argv.slice(2);
if (what === "serve")
  createServer((socket) => {
    socket.on("error", () => undefined);
    socket.setNoDelay(true).write("x");
  }).listen({ port: 80, host: "0.0.0.0" }, () => process.stdout.write("ready"));
else if (what === "call") process.stdout.write(JSON.stringify(await call(host, Number(count))));
