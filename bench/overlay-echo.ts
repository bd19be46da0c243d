// SPDX-License-Identifier: Apache-2.0
// Sends back what it gets (`serve`), or asks so and prints how long each answer took, microseconds (`ask ADDRESS`).
import { once } from "node:events";
import { connect, createServer } from "node:net";

const PORT = 7_900;
const WARM = 300;
const ASKED = 2_000;

async function ask(address: string): Promise<void> {
  const socket = connect({ host: address, port: PORT, noDelay: true });
  await once(socket, "connect");
  const question = Buffer.alloc(64, 1);
  const takenUs: number[] = [];
  for (let i = 0; i < WARM + ASKED; i++) {
    const began = performance.now();
    socket.write(question);
    await once(socket, "data");
    if (i >= WARM) takenUs.push((performance.now() - began) * 1_000);
  }
  socket.destroy();
  process.stdout.write(JSON.stringify(takenUs.map((us) => Math.round(us))));
}

const [verb, address = ""] = process.argv.slice(2);
if (verb === "serve")
  createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => undefined).pipe(socket);
  }).listen(PORT, "0.0.0.0");
else await ask(address);
