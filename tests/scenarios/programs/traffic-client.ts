// SPDX-License-Identifier: Apache-2.0
// `traffic-client.ts COUNT PORT PORT`: 200 requests a second to two replicas in turn, each tried on the other when it fails.
// Says `up PORT` and `down PORT` when that changes, and counts as JSON after COUNT requests or the end of its input,
// whichever is later.
import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const EVERY_MS = 5;
const [count = 0, ...ports] = process.argv.slice(2).map(Number);
const counts = { asked: 0, again: 0, failed: 0 };
const known = new Map<number, boolean>();
const open = new Set<Promise<void>>();
let told = false;

function note(port: number, up: boolean): void {
  if (known.get(port) === up) return;
  known.set(port, up);
  console.log(`${up ? "up" : "down"} ${port}`);
}

/** One request; false when it is not answered with 200 in two seconds. */
function ask(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (up: boolean): void => {
      note(port, up);
      resolve(up);
    };
    const sent = get({ host: "127.0.0.1", port, agent: false, timeout: 2_000 }, (answer) => {
      answer.resume();
      answer.once("end", () => finish(answer.statusCode === 200));
      answer.once("error", () => finish(false));
    });
    sent.once("error", () => finish(false));
    sent.once("timeout", () => sent.destroy());
  });
}

async function askEither(turn: number): Promise<void> {
  if (await ask(ports[turn % 2] ?? 0)) return;
  counts.again++;
  if (!(await ask(ports[(turn + 1) % 2] ?? 0))) counts.failed++;
}

process.stdin.resume().once("end", () => (told = true));
for (const port of ports) while (!(await ask(port))) await sleep(EVERY_MS);
while (counts.asked < count || !told) {
  const one = askEither(counts.asked++).finally(() => open.delete(one));
  open.add(one);
  await sleep(EVERY_MS);
}
await Promise.all(open);
console.log(JSON.stringify(counts));
