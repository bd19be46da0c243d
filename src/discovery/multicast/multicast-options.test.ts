// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildRecord } from "#discovery/testing/build-record.ts";
import { checkOptions, type MulticastOptions } from "./multicast-options.ts";
import { createOwnRecords } from "./own-records.ts";

const GOOD: MulticastOptions = { sender: "host", secret: Buffer.alloc(16, 1) };

test("defaults stay within the network and the organisation", () => {
  const { group, port, hops, heartbeatMs } = checkOptions(GOOD);
  assert.deepEqual([group, port, hops, heartbeatMs], ["239.255.71.17", 7_118, 1, 5_000]);
});

const BAD: readonly (readonly [string, Partial<MulticastOptions>])[] = [
  ["no name", { sender: "" }],
  ["a short secret", { secret: Buffer.alloc(15) }],
  ["a group that is none", { group: "10.0.0.1" }],
  ["an interface by name", { interfaceAddress: "eth0" }],
  ["a heartbeat of 99 ms", { heartbeatMs: 99 }],
  ["a heartbeat of a minute and more", { heartbeatMs: 60_001 }],
  ["port 0", { port: 0 }],
];
for (const [what, options] of BAD) {
  test(`${what} is refused`, () => {
    assert.throws(() => checkOptions({ ...GOOD, ...options }), { name: "FairleadError" });
  });
}

test("a record that no 64 datagrams carry is refused", () => {
  const skills = Array.from({ length: 64 }, (_, i) => `${i}`.padEnd(1_100, "x"));
  assert.throws(() => createOwnRecords().put(buildRecord("a", { skills })), {
    name: "FairleadError",
  });
});

test("the pages of beats name every slot once, and leave none between them", () => {
  const own = createOwnRecords();
  for (let i = 0; i < 400; i++) own.put(buildRecord(`${i}`));
  for (let i = 0; i < 400; i += 3) own.remove(`${i}`);
  const beats = own.listBeats(1_000).flatMap((beat) => (beat.kind === "beat" ? [beat] : []));
  let from = 0;
  for (const beat of beats) {
    assert.equal(beat.from, from);
    assert.ok(beat.slots.every(({ slot }) => slot >= beat.from && slot <= beat.until));
    from = beat.until + 1;
  }
  assert.equal(from, 2 ** 32);
  assert.equal(beats.flatMap(({ slots }) => slots).length, own.slots().length);
});
