// SPDX-License-Identifier: Apache-2.0
// `message-sender.ts NODE NAME KEYS EACH FILE`: publishes numbers 0 to EACH - 1 under each of its keys, in order, and writes
// `KEY NUMBER` to FILE once a message is confirmed. Started again after it was killed, it goes on after what is confirmed,
// with the same words. Says `confirmed COUNT` from time to time, and ends once all are.
import { closeSync, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { joinAgain } from "./join-again.ts";

const TOLD_EACH = 100;
/** Messages of a key that are under way at once. */
const AHEAD = 8;
const [node = "", name = "", keys = "1", each = "1", path = ""] = process.argv.slice(2);
const next = new Map<string, number>();
for (let key = 0; key < Number(keys); key++) next.set(`${name}${key}`, 0);
let count = 0;
if (existsSync(path)) {
  const known = new Map<string, Set<number>>();
  // A line may be cut short by the kill: then it is as if it was not there.
  for (const line of readFileSync(path, "utf8").split("\n").slice(0, -1)) {
    const [key = "", number = ""] = line.split(" ");
    known.set(key, (known.get(key) ?? new Set()).add(Number(number)));
  }
  for (const [key, numbers] of known) {
    let first = 0;
    while (numbers.has(first)) first++;
    next.set(key, first);
    count += first;
  }
}
const file = openSync(path, "a");
let lines: string[] = [];

/** Writes all that was confirmed in one turn of the event loop. */
function note(line: string): void {
  if (lines.length === 0)
    setImmediate(() => {
      writeSync(file, lines.join(""));
      lines = [];
    });
  lines.push(`${line}\n`);
  if (++count % TOLD_EACH === 0) console.log(`confirmed ${count}`);
}

await using agent = await joinAgain(name, node);

async function publish(key: string, number: number): Promise<void> {
  const dedupe = `${key}-${number}`;
  await agent.publish("flow.a", { key, number }, { key, dedupe, timeout: "110s" });
  note(`${key} ${number}`);
}

async function send(key: string): Promise<void> {
  const open: Promise<void>[] = [];
  for (let number = next.get(key) ?? 0; number < Number(each); number++) {
    open.push(publish(key, number));
    if (open.length >= AHEAD) await open.shift();
  }
  await Promise.all(open);
}

await Promise.all([...next.keys()].map(send));
await new Promise((resolve) => setImmediate(resolve));
closeSync(file);
console.log(`confirmed ${count}`);
