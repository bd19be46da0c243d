// SPDX-License-Identifier: Apache-2.0
// Runs inside of an instance's network: `talk-child.ts serve PORT` says back what it is told; `talk-child.ts call ADDRESS PORT` says its
// lines to who serves there, and prints what comes back.
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";

const [, , act, ...words] = process.argv;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

if (act === "serve") {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  server.listen(Number(words[0]), "::", () => say("ready"));
} else {
  const socket = connect({ host: words[0] ?? "", port: Number(words[1]) });
  socket.on("connect", () => say("connected"));
  socket.on("error", ({ message }) => say(message));
  createInterface({ input: socket }).on("line", say);
  createInterface({ input: process.stdin }).on("line", (line) => socket.write(`${line}\n`));
}
