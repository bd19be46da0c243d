// SPDX-License-Identifier: Apache-2.0
// A host of its own in a test: joins the group, announces one agent, prints what it sees as lines of JSON, and leaves
// when its standard input ends. Arguments: name, address of the interface, port, heartbeat in milliseconds, how many bytes more
// than need be its record has.
import { silentLogger } from "#base/logger.ts";
import { joinMulticast } from "#discovery/multicast/join-multicast.ts";
import { buildRecord } from "./build-record.ts";
import { createTestClock } from "./test-clock.ts";

const [sender = "", interfaceAddress = "", port = "", heartbeat = "", more = "0"] =
  process.argv.slice(2);
const TAG_BYTES = 200;
const tags = Array.from({ length: Math.ceil(Number(more) / TAG_BYTES) }, (_, i) => [
  `filler-${i}`,
  "x".repeat(TAG_BYTES),
]);
const clock = createTestClock();
const discovery = await joinMulticast(
  {
    sender,
    interfaceAddress,
    port: Number(port),
    heartbeatMs: Number(heartbeat),
    secret: Buffer.from("a secret of the tests, long enough"),
  },
  { clock, random: Math.random, logger: silentLogger },
);
const ending = new AbortController();
process.stdin.on("end", () => ending.abort()).resume();
process.stdout.write(`${JSON.stringify({ type: "joined", atMs: clock.nowMs() })}\n`);
await discovery.announce(buildRecord(sender, { name: sender, tags: Object.fromEntries(tags) }));
for await (const change of discovery.watch(ending.signal)) {
  const reason = change.type === "gone" ? change.reason : undefined;
  const bytes = JSON.stringify(change.agent).length;
  const line = { type: change.type, id: change.agent.id, reason, bytes, atMs: clock.nowMs() };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
const { replayed } = discovery.readCounters();
await discovery[Symbol.asyncDispose]();
process.stdout.write(`${JSON.stringify({ type: "left", replayed, atMs: clock.nowMs() })}\n`);
