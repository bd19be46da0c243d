// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { describe, test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import { createSealer } from "#datagram/seal.ts";
import { discoveryConformance, waitFor } from "#discovery/discovery-conformance.ts";
import { buildRecord } from "#discovery/testing/build-record.ts";
import { SECRET } from "#discovery/testing/join-loopback.ts";
import { createTestClock } from "#discovery/testing/test-clock.ts";
import { DISCOVERY, encodeDatagram } from "./datagram.ts";
import { joinSeeds } from "./join-seeds.ts";
import type { MulticastDiscovery } from "./start-member.ts";

/** A free port, as the others are told of it before it is opened. */
async function choosePort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}

function join(
  sender: string,
  port: number,
  seeds: readonly number[],
  secret = SECRET,
): Promise<MulticastDiscovery> {
  const listen = { host: "127.0.0.1", port };
  const places = seeds.map((seed) => ({ host: "127.0.0.1", port: seed }));
  return joinSeeds(
    { sender, secret, heartbeatMs: 300, listen, seeds: places },
    { clock: createTestClock(), random: Math.random, logger: silentLogger },
  );
}

// Only the second names the first: the first answers whom it believes.
discoveryConformance("seeds on loopback", async () => {
  const port = await choosePort();
  const first = await join("first", port, []);
  const second = await join("second", await choosePort(), [port]);
  return {
    first,
    second,
    async [Symbol.asyncDispose]() {
      await first[Symbol.asyncDispose]();
      await second[Symbol.asyncDispose]();
    },
  };
});

describe("strangers", () => {
  test("one with another key is counted, not believed, and not answered", async () => {
    const port = await choosePort();
    await using node = await join("node", port, []);
    await using stranger = await join("stranger", await choosePort(), [port], Buffer.alloc(32, 7));
    await stranger.announce(buildRecord("evil"));
    await using friend = await join("friend", await choosePort(), [port]);
    await friend.announce(buildRecord("good"));
    await waitFor(node, ({ agent }) => agent.id === "good");
    assert.deepEqual(
      node.list().map(({ id }) => id),
      ["good"],
    );
    assert.ok(node.readCounters().unauthenticated > 0);
    assert.equal(stranger.readCounters().received, 0);
  });

  test("what was caught in the group proves nothing here", async () => {
    const port = await choosePort();
    await using node = await join("node", port, []);
    const header = { sender: "host", incarnation: 1, sequence: 1, stampMs: Date.now() };
    const caught = createSealer(SECRET, DISCOVERY).seal(
      encodeDatagram(header, { kind: "ask", target: "", slots: [] }),
    );
    const socket = createSocket("udp4");
    socket.send(caught, port, "127.0.0.1");
    await using friend = await join("friend", await choosePort(), [port]);
    await friend.announce(buildRecord("good"));
    await waitFor(node, ({ agent }) => agent.id === "good");
    socket.close();
    assert.equal(node.readCounters().unauthenticated, 1);
  });

  test("a place that is taken is an error that names it", async () => {
    const port = await choosePort();
    await using _ = await join("node", port, []);
    await assert.rejects(join("other", port, []), { message: new RegExp(`:${port}`) });
  });
});
