// SPDX-License-Identifier: Apache-2.0
// UDP in the network of an instance, by Node of this machine: busybox has no server for it.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";

/** A process in whose network namespace to run. */
interface Beside {
  readonly pid?: number | undefined;
}

const SERVER = `const socket = require("node:dgram").createSocket("udp4");
socket.bind(53, () => console.log("up"));
socket.on("message", (_, from) => socket.send(process.argv[1], from.port, from.address));`;
/** Asks so many times, each time as another caller, and prints who answered. */
const CALLER = `const [to, count] = process.argv.slice(1);
const ask = () => new Promise((resolve) => {
  const socket = require("node:dgram").createSocket("udp4");
  const end = (word) => { clearTimeout(late); socket.close(); resolve(word); };
  const late = setTimeout(end, 5000, "nobody");
  socket.once("message", (who) => end(String(who)));
  socket.send("who", 53, to);
});
(async () => { for (let i = 0; i < count; i++) console.log(await ask()); })();`;

function runBeside({ pid }: Beside, ...args: readonly string[]): ChildProcess {
  assert.ok(pid !== undefined);
  const inside = [`--net=/proc/${pid}/ns/net`, process.execPath, "-e", ...args];
  return spawn("nsenter", inside, { stdio: ["ignore", "pipe", "ignore"] });
}

/** Answers each datagram to port 53 with `name`, until the process that is returned is ended. */
export async function serveUdp(instance: Beside, name: string): Promise<ChildProcess> {
  const child = runBeside(instance, SERVER, name);
  assert.ok(child.stdout !== null);
  await once(child.stdout, "data");
  return child;
}

/** Who answers so many callers, one after the other; `nobody` where none did in 5 s. */
export async function askByUdp(
  instance: Beside,
  address: string,
  count: number,
): Promise<readonly string[]> {
  const child = runBeside(instance, CALLER, address, String(count));
  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (some: string) => (text += some));
  await once(child, "close");
  return text.trim().split("\n");
}
