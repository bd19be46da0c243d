// SPDX-License-Identifier: Apache-2.0
// Takes connections beside an instance, and prints when each came, wall clock in milliseconds.
import { createServer } from "node:net";

createServer((socket) => {
  process.stdout.write(`${performance.timeOrigin + performance.now()}\n`);
  socket.on("error", () => undefined).destroy();
}).listen(Number(process.argv[2]), "0.0.0.0");
process.stdin.once("end", () => process.exit(0)).resume();
