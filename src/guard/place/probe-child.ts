// SPDX-License-Identifier: Apache-2.0
// Runs inside of an instance's network: `probe-child.ts PROTOCOL ADDRESS PORT`, and says one word.
import { createSocket } from "node:dgram";
import { connect } from "node:net";

const PATIENCE_MS = 1_000;
const [, , protocol = "", host = "", port = ""] = process.argv;

function say(word: string): void {
  process.stdout.write(`${word}\n`, () => process.exit(0));
}

function sayError(error: Error): void {
  const code = "code" in error ? String(error.code) : error.message;
  say(code === "ECONNREFUSED" ? "refused" : code === "EPERM" ? "silence" : code);
}

if (protocol === "TCP") {
  const socket = connect({ host, port: Number(port) });
  socket.once("connect", () => say("connected"));
  socket.once("error", sayError);
  setTimeout(() => say("silence"), PATIENCE_MS);
} else if (protocol === "UDP") {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  socket.once("error", sayError);
  socket.send("?", Number(port), host, (error) => {
    if (error !== null) sayError(error);
    // Nothing comes back for what is dropped, nor for what is taken; who counts what it drops knows it by then.
    else setTimeout(() => say("sent"), PATIENCE_MS / 4);
  });
} else say(`a probe by ${protocol} is not possible`);
