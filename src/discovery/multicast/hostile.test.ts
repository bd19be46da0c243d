// SPDX-License-Identifier: Apache-2.0
// Forged, replayed, outdated, broken: nothing of it is believed, and all of it is counted.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { DATAGRAM_BYTES_MAX, decodeHeader } from "#datagram/envelope.ts";
import { createGate, type Gate } from "#datagram/gate.ts";
import { createSealer } from "#datagram/seal.ts";
import { waitFor } from "#discovery/discovery-conformance.ts";
import { buildRecord } from "#discovery/testing/build-record.ts";
import { chooseGroup, joinLoopback, SECRET } from "#discovery/testing/join-loopback.ts";
import {
  decodeMessage,
  DISCOVERY,
  encodeDatagram,
  type Message,
  PART_BYTES_MAX,
} from "./datagram.ts";
import type { MulticastDiscovery } from "./start-member.ts";

/** How long the share of a core is measured; what the test asks is over as soon as the honest one is heard. */
const FLOOD_MS = Number(process.env["FAIRLEAD_FLOOD_MS"] ?? 0);
const FLOOD = fileURLToPath(new URL("../testing/flood-child.ts", import.meta.url));
const NOW_MS = 1_800_000_000_000;

/** Somebody in the same network: hears what passes, and sends what it likes. */
async function openIntruder(place: { group: string; port: number }): Promise<{
  readonly socket: Socket;
  readonly heard: Buffer[];
  readonly send: (bytes: Buffer) => Promise<void>;
}> {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  const heard: Buffer[] = [];
  socket.on("message", (bytes) => heard.push(bytes));
  socket.bind(place.port, place.group);
  await once(socket, "listening");
  socket.addMembership(place.group, "127.0.0.1");
  socket.setMulticastInterface("127.0.0.1");
  const send = (bytes: Buffer): Promise<void> =>
    new Promise((resolve) => socket.send(bytes, place.port, place.group, () => resolve()));
  return { socket, heard, send };
}

/** Resolves when the member has counted that many datagrams of a kind. */
async function waitForCount(
  member: MulticastDiscovery,
  kind: keyof ReturnType<MulticastDiscovery["readCounters"]>,
  least: number,
): Promise<void> {
  for (const endMs = performance.now() + 10_000; performance.now() < endMs;) {
    if (member.readCounters()[kind] >= least) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.fail(`${kind} is ${member.readCounters()[kind]}, not ${least}`);
}

describe("strangers on the network", () => {
  test("datagrams without the key are counted and not believed", async () => {
    const place = chooseGroup();
    await using member = await joinLoopback("member", place);
    const { socket, send } = await openIntruder(place);
    const sealer = createSealer(Buffer.from("the secret of somebody else"), DISCOVERY);
    const record = Buffer.from(JSON.stringify(buildRecord("forged")));
    for (let sequence = 1; sequence <= 300; sequence++) {
      const header = { sender: "evil", incarnation: 1, sequence, stampMs: Date.now() };
      const part = {
        kind: "part",
        slot: 1,
        revision: 1,
        part: 0,
        parts: 1,
        bytes: record,
      } as const;
      await send(sealer.seal(encodeDatagram(header, part)));
    }
    await waitForCount(member, "unauthenticated", 300);
    assert.equal(member.readCounters().accepted, 0);
    assert.deepEqual(member.list(), []);
    socket.close();
  });

  test("a member with another secret is not seen", async () => {
    const place = chooseGroup();
    await using member = await joinLoopback("member", place);
    await using other = await joinLoopback("other", { ...place, secret: Buffer.alloc(32, 7) });
    await other.announce(buildRecord("a"));
    await waitForCount(member, "unauthenticated", 3);
    assert.deepEqual(member.list(), []);
  });

  test("what was sent before is not believed again, not even of who left", async () => {
    const place = chooseGroup();
    await using member = await joinLoopback("member", place);
    const { socket, heard, send } = await openIntruder(place);
    const leaver = await joinLoopback("leaver", place);
    await leaver.announce(buildRecord("a"));
    await waitFor(member, ({ type, agent }) => type === "up" && agent.id === "a");
    const gone = waitFor(member, ({ type }) => type === "gone");
    await leaver[Symbol.asyncDispose]();
    await gone;
    const before = member.readCounters();
    const old = heard.filter((bytes) => decodeHeader(DISCOVERY, bytes)?.sender === "leaver");
    assert.ok(old.length >= 3);
    for (const bytes of old) await send(bytes);
    await waitForCount(member, "replayed", before.replayed + old.length);
    assert.equal(member.readCounters().accepted, before.accepted);
    assert.deepEqual(member.list(), []);
    socket.close();
  });

  test("who started anew is believed, its former self is not", async () => {
    const place = chooseGroup();
    await using member = await joinLoopback("member", place);
    const { socket, heard, send } = await openIntruder(place);
    const former = await joinLoopback("host", place);
    await former.announce(buildRecord("a"));
    await waitFor(member, ({ agent }) => agent.id === "a");
    const old = heard.filter((bytes) => decodeHeader(DISCOVERY, bytes)?.sender === "host");
    const replaced = waitFor(member, ({ type }) => type === "gone");
    // As after a crash: nothing was said. A clock that is 5 ms ahead makes it a later start in any case.
    await using latter = await joinLoopback("host", place, 5);
    await latter.announce(buildRecord("b"));
    const change = await replaced;
    assert.equal(change.type === "gone" && change.reason, "replaced");
    await waitFor(member, ({ agent }) => agent.id === "b");
    const before = member.readCounters();
    for (const bytes of old) await send(bytes);
    await waitForCount(member, "outdated", before.outdated + old.length);
    assert.deepEqual(
      member.list().map(({ id }) => id),
      ["b"],
    );
    await former[Symbol.asyncDispose]();
    socket.close();
  });

  test("a clock that is a minute off is counted and not believed", async () => {
    const place = chooseGroup();
    await using member = await joinLoopback("member", place);
    await using skewed = await joinLoopback("skewed", place, -60_000);
    await skewed.announce(buildRecord("a"));
    await waitForCount(member, "skewed", 2);
    assert.deepEqual(member.list(), []);
  });

  test("a flood is kept out, and who has the key is heard through it", async (t) => {
    const place = chooseGroup();
    await using member = await joinLoopback("member", place);
    await using honest = await joinLoopback("honest", place);
    await honest.announce(buildRecord("a"));
    await waitFor(member, ({ agent }) => agent.id === "a");
    const flood = spawn(process.execPath, [FLOOD, place.group, `${place.port}`], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    let measured = "";
    try {
      await waitForCount(member, "floods", 1);
      const [beganMs, before] = [performance.now(), process.cpuUsage()];
      await honest.announce(buildRecord("b"));
      await waitFor(member, ({ agent }) => agent.id === "b");
      await sleep(FLOOD_MS - (performance.now() - beganMs));
      const { user, system } = process.cpuUsage(before);
      const spanMs = performance.now() - beganMs;
      const share = ((user + system) / 10 / spanMs / 2).toFixed(0);
      measured = `flooded for ${spanMs.toFixed(0)} ms, each of two members took ${share} % of a core`;
    } finally {
      flood.stdin.end();
      const sent = await text(flood.stdout);
      t.diagnostic(`${measured}, ${sent.trim()} datagrams a second`);
    }
    assert.deepEqual(
      member
        .list()
        .map(({ id }) => id)
        .sort(),
      ["a", "b"],
    );
  });

  test("the plain form is understood only where it is switched on", async () => {
    const place = chooseGroup();
    await using deaf = await joinLoopback("deaf", place);
    await using open = await joinLoopback("open", { ...place, plainScope: "legacy" });
    const { socket, send } = await openIntruder(place);
    const up = waitFor(open, ({ type }) => type === "up");
    await send(Buffer.from("HEARTBEAT|billing|10.0.0.7:9000\n"));
    const { agent } = await up;
    assert.deepEqual(
      [agent.name, agent.scope, ...agent.addresses],
      ["billing", "legacy", "10.0.0.7:9000"],
    );
    await waitForCount(deaf, "malformed", 1);
    assert.deepEqual(deaf.list(), []);
    const change = await waitFor(open, ({ type }) => type === "gone");
    assert.equal(change.type === "gone" && change.reason, "expired");
    socket.close();
  });
});

function openGate(): Gate {
  const options = { sender: "me", incarnation: 1, skewMsMax: 30_000, perSecondMax: 1_000 };
  return createGate({ ...options, protocol: DISCOVERY, sealer: createSealer(SECRET, DISCOVERY) });
}

const SEALER = createSealer(SECRET, DISCOVERY);
const encode = (message: Message, sequence = 1): Buffer =>
  encodeDatagram({ sender: "peer", incarnation: 7, sequence, stampMs: NOW_MS }, message);

describe("datagrams", () => {
  test("what is encoded is decoded", () => {
    const number = fc.nat(0xffff_ffff);
    const plainRecord = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
      fc.record(model, { noNullPrototype: true });
    const messages = fc.oneof(
      plainRecord({
        kind: fc.constant("beat" as const),
        intervalMs: number,
        from: number,
        until: number,
        slots: fc.array(plainRecord({ slot: number, revision: number }), { maxLength: 130 }),
      }),
      plainRecord({
        kind: fc.constant("ask" as const),
        target: fc.string({ maxLength: 20 }),
        slots: fc.array(number, { maxLength: 130 }),
      }),
      plainRecord({
        kind: fc.constant("part" as const),
        slot: number,
        revision: number,
        part: fc.nat(7),
        parts: fc.constant(8),
        bytes: fc.uint8Array({ maxLength: PART_BYTES_MAX }).map((bytes) => Buffer.from(bytes)),
      }),
    );
    fc.assert(
      fc.property(messages, fc.stringMatching(/^[a-z]{1,63}$/), (message, sender) => {
        const header = { sender, incarnation: NOW_MS, sequence: 2 ** 40, stampMs: NOW_MS };
        const bytes = encodeDatagram(header, message);
        assert.ok(bytes.length <= DATAGRAM_BYTES_MAX);
        assert.deepEqual(decodeHeader(DISCOVERY, bytes), header);
        assert.deepEqual(decodeMessage(bytes), message);
      }),
    );
  });

  test("a sequence is believed once, in whatever order the last 32 come", () => {
    const order = fc.shuffledSubarray(Array.from({ length: 31 }, (_, i) => i + 1));
    fc.assert(
      fc.property(order, (sequences) => {
        const gate = openGate();
        for (const sequence of sequences) {
          const bytes = SEALER.seal(encode({ kind: "leave" }, sequence));
          assert.ok(gate.admit(bytes, "10.0.0.1", 0, NOW_MS));
          assert.equal(gate.admit(bytes, "10.0.0.1", 0, NOW_MS), undefined);
        }
      }),
    );
  });

  test("above the rate of a source nothing is computed, other sources are heard", () => {
    const gate = openGate();
    for (let sequence = 1; sequence <= 10_000; sequence++)
      gate.admit(encode({ kind: "leave" }, sequence), "10.0.0.66", 0, NOW_MS);
    assert.equal(gate.counters.unauthenticated, 2_000);
    assert.equal(gate.counters.limited, 8_000);
    assert.ok(gate.admit(SEALER.seal(encode({ kind: "leave" })), "10.0.0.1", 0, NOW_MS));
  });
});
