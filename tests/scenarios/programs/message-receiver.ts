// SPDX-License-Identifier: Apache-2.0
// `message-receiver.ts NODE NAME FILE [DIES]`: handles what is published to `flow.*` as a member of a group and writes
// `KEY NUMBER ATTEMPT` to FILE before it acknowledges. Given `DIES` as `KEY-NUMBER`, kills itself between the two.
import { openSync, writeSync } from "node:fs";
import { joinAgain } from "./join-again.ts";

const [node = "", name = "", path = "", dies] = process.argv.slice(2);
// Appending is atomic, so that the lines of several receivers are in the order of handling.
const file = openSync(path, "a");
await using agent = await joinAgain(name, node);
await agent.on<{ key: string; number: number }>(
  "flow.*",
  ({ data: { key, number }, attempt }) => {
    writeSync(file, `${key} ${number} ${attempt}\n`);
    if (dies === `${key}-${number}`) process.kill(process.pid, "SIGKILL");
  },
  { group: "sinks", concurrency: 64, attempts: 100 },
);
console.log("subscribed");
await agent.closed;
