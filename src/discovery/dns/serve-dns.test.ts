// SPDX-License-Identifier: Apache-2.0
// The server on real sockets, asked by dns-packet, by dig and by kdig.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { before, describe, test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import {
  type Asked,
  dataOf,
  decodeAnswer,
  type Decoded,
  encodeQuestion,
} from "#discovery/testing/ask-dns.ts";
import { createTestClock } from "#discovery/testing/test-clock.ts";
import { type Endpoint, exchangeTcp, frame, unframe } from "./exchange.ts";
import { type DnsServer, type DnsServerOptions, serveDns } from "./serve-dns.ts";
import { createZone, type Zone } from "./zone.ts";

const LOOPBACK: Endpoint = { address: "127.0.0.1", port: 0 };
const NEVER = new AbortController().signal;

function buildZone(apex = "fairlead.internal"): Zone {
  const zone = createZone({ apex });
  const ports = [{ name: "http", port: 80, protocol: "tcp" as const }];
  const members = Array.from({ length: 60 }, (_, i) => ({
    label: `${i}`,
    addresses: [`10.0.0.${i}`, `fd00::${i.toString(16)}`],
    ports,
  }));
  zone.put({ scope: "shop", name: "web", members: members.slice(0, 2) });
  zone.put({ scope: "shop", name: "many", members });
  return zone;
}

function start(options: Partial<DnsServerOptions> = {}): Promise<DnsServer> {
  const parts = { clock: createTestClock(), logger: silentLogger };
  return serveDns({ zone: buildZone(), listen: [LOOPBACK], ...options }, parts);
}

function endpointOf(server: DnsServer): Endpoint {
  const [endpoint] = server.endpoints;
  assert.ok(endpoint);
  return endpoint;
}

/** Sends bytes as they are; resolves with the first datagram that comes back. */
async function exchange(server: DnsServer, bytes: Buffer, timeoutMs = 5_000): Promise<Buffer> {
  const { address, port } = endpointOf(server);
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  try {
    const answer = once(socket, "message", { signal: AbortSignal.timeout(timeoutMs) });
    socket.send(bytes, port, address);
    const [message] = (await answer) as [Buffer];
    return message;
  } finally {
    socket.close();
  }
}

async function ask(server: DnsServer, name: string, asked: Asked = {}): Promise<Decoded> {
  return decodeAnswer(await exchange(server, encodeQuestion(name, asked)));
}

async function askTcp(server: DnsServer, name: string, asked: Asked = {}): Promise<Decoded> {
  const bytes = encodeQuestion(name, asked);
  const limits = { isAnswer: () => true, timeoutMs: 5_000, signal: NEVER };
  const answer = await exchangeTcp({ server: endpointOf(server), bytes, ...limits });
  assert.ok(answer);
  return decodeAnswer(answer);
}

describe("UDP and TCP", () => {
  test("a name is answered over both, cut over the first and whole over the second", async () => {
    await using server = await start();
    const cut = await ask(server, "many.shop.fairlead.internal");
    assert.equal(cut.flag_tc, true);
    const whole = await askTcp(server, "many.shop.fairlead.internal");
    assert.equal(whole.answers?.length, 60);
  });

  test("IPv6 is listened on beside IPv4", async () => {
    await using server = await start({ listen: [{ address: "::1", port: 0 }, LOOPBACK] });
    assert.equal(server.endpoints.length, 2);
    const answer = await ask(server, "web.shop.fairlead.internal", { type: "AAAA" });
    assert.equal(answer.answers?.length, 2);
  });

  test("a change of the zone is answered at once", async () => {
    const zone = buildZone();
    await using server = await start({ zone });
    zone.put({ scope: "shop", name: "web", members: [{ addresses: ["10.7.7.7"], ports: [] }] });
    assert.deepEqual(dataOf((await ask(server, "web.shop.fairlead.internal")).answers), [
      "10.7.7.7",
    ]);
    zone.remove("shop", "web");
    assert.equal((await ask(server, "web.shop.fairlead.internal")).rcode, "NXDOMAIN");
  });

  test("questions that come in pieces or together over one connection are all answered", async () => {
    await using server = await start();
    const { address, port } = endpointOf(server);
    const socket = connect({ host: address, port });
    const questions = [1, 2, 3].map((id) =>
      frame(encodeQuestion("web.shop.fairlead.internal", { id })),
    );
    const bytes = Buffer.concat(questions);
    socket.setNoDelay(true);
    socket.write(bytes.subarray(0, 1));
    socket.write(bytes.subarray(1, 40));
    socket.write(bytes.subarray(40));
    let received: Buffer = Buffer.alloc(0);
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer]);
      if (unframe(received).messages.length === 3) break;
    }
    const ids = unframe(received).messages.map((message) => message.readUInt16BE(0));
    assert.deepEqual(ids, [1, 2, 3]);
  });

  test("connections above the limit and silent ones are closed", async () => {
    await using server = await start({ tcp: { connectionsPerSourceMax: 1, idleMs: 200 } });
    const { address, port } = endpointOf(server);
    const first = connect({ host: address, port });
    await once(first, "connect");
    const second = connect({ host: address, port });
    second.on("error", () => undefined);
    await once(second, "close");
    await once(first.resume(), "close");
  });

  test("a port that is taken is an error that names it", async () => {
    await using server = await start();
    await assert.rejects(start({ listen: [endpointOf(server)] }), {
      name: "FairleadError",
      message: /cannot listen on 127\.0\.0\.1/,
    });
  });

  test("a source above its rate is sent to TCP or gets nothing", async () => {
    await using server = await start({ queriesPerSecondMax: 1 });
    assert.equal((await ask(server, "web.shop.fairlead.internal")).flag_tc, false);
    const limited = await ask(server, "web.shop.fairlead.internal");
    assert.equal(limited.flag_tc, true);
    assert.equal(limited.answers?.length, 0);
    assert.equal(server.readCounters().limited, 1);
  });
});

describe("forwarding", () => {
  const outside = (): Promise<DnsServer> => start({ zone: buildZone("example.test") });

  test("a name outside is asked upstream, with the client's id and letter case in the answer", async () => {
    await using upstream = await outside();
    await using server = await start({ upstreams: upstream.endpoints });
    const query = encodeQuestion("WeB.sHoP.example.test", { id: 99 });
    const bytes = await exchange(server, query);
    assert.equal(bytes.readUInt16BE(0), 99);
    assert.deepEqual(bytes.subarray(12, query.length), query.subarray(12));
    assert.equal(decodeAnswer(bytes).answers?.length, 2);
  });

  test("an answer that is cut is fetched over TCP for who asks over TCP", async () => {
    await using upstream = await outside();
    await using server = await start({ upstreams: upstream.endpoints });
    assert.equal((await ask(server, "many.shop.example.test")).flag_tc, true);
    assert.equal((await askTcp(server, "many.shop.example.test")).answers?.length, 60);
  });

  test("an upstream that is silent is left for the next one", async () => {
    const silent = createSocket("udp4");
    silent.bind(0, "127.0.0.1");
    await once(silent, "listening");
    await using upstream = await outside();
    const dead = { address: "127.0.0.1", port: silent.address().port };
    const upstreams = [dead, ...upstream.endpoints];
    await using server = await start({ upstreams, upstreamAttemptMs: 100 });
    assert.equal((await ask(server, "web.shop.example.test")).rcode, "NOERROR");
    silent.close();
  });

  test("no answer by the deadline is SERVFAIL", async () => {
    const silent = createSocket("udp4");
    silent.bind(0, "127.0.0.1");
    await once(silent, "listening");
    const upstreams = [{ address: "127.0.0.1", port: silent.address().port }];
    const times = { upstreamAttemptMs: 50, upstreamDeadlineMs: 150 };
    await using server = await start({ upstreams, ...times });
    assert.equal((await ask(server, "web.shop.example.test")).rcode, "SERVFAIL");
    assert.equal(server.readCounters().failed, 1);
    silent.close();
  });

  test("an answer with another id or another question is not believed", async () => {
    const liar = createSocket("udp4");
    liar.on("message", (query, { port, address }) => {
      const answer = Buffer.from(query);
      answer.writeUInt16BE(answer.readUInt16BE(2) | 0x8000, 2);
      const wrongId = Buffer.from(answer);
      wrongId.writeUInt16BE((answer.readUInt16BE(0) + 1) & 0xffff, 0);
      const wrongCase = Buffer.from(answer);
      wrongCase[13] = (wrongCase[13] ?? 0) ^ 0x20;
      for (const lie of [wrongId, wrongCase, query]) liar.send(lie, port, address);
    });
    liar.bind(0, "127.0.0.1");
    await once(liar, "listening");
    const upstreams = [{ address: "127.0.0.1", port: liar.address().port }];
    const times = { upstreamAttemptMs: 50, upstreamDeadlineMs: 150 };
    await using server = await start({ upstreams, ...times });
    assert.equal((await ask(server, "web.shop.example.test")).rcode, "SERVFAIL");
    liar.close();
  });

  test("an own question that comes back by a relay ends at once", async () => {
    const relay = createSocket("udp4");
    relay.bind(0, "127.0.0.1");
    await once(relay, "listening");
    const upstreams = [{ address: "127.0.0.1", port: relay.address().port }];
    await using server = await start({ upstreams, upstreamAttemptMs: 5_000 });
    let asking = 0;
    relay.on("message", (bytes, { port }) => {
      const isAnswer = (bytes.readUInt16BE(2) & 0x8000) !== 0;
      if (!isAnswer) asking = port;
      relay.send(bytes, isAnswer ? asking : endpointOf(server).port, "127.0.0.1");
    });
    assert.equal((await ask(server, "loop.example.test")).rcode, "SERVFAIL");
    assert.equal(server.readCounters().loops >= 1, true);
    relay.close();
  });

  test("two servers that ask each other cost a handful of messages", async () => {
    const times = { upstreamAttemptMs: 100, upstreamDeadlineMs: 200 };
    const first = await start();
    const place = endpointOf(first);
    await first[Symbol.asyncDispose]();
    await using second = await start({ upstreams: [place], ...times });
    await using third = await start({ listen: [place], upstreams: second.endpoints, ...times });
    assert.equal((await ask(third, "loop.example.test")).rcode, "SERVFAIL");
    const asked = second.readCounters().messages + third.readCounters().messages;
    assert.ok(asked <= 8, `${asked} messages for one question`);
  });

  test("a server that is its own upstream is refused", async () => {
    const own = { address: "127.0.0.1", port: 5_353 };
    await assert.rejects(start({ listen: [own], upstreams: [own] }), { name: "FairleadError" });
  });

  test("private addresses from outside are withheld where that is asked for", async () => {
    const zone = buildZone("example.test");
    const members = [{ addresses: ["192.0.2.7", "2001:db8::7"], ports: [] }];
    zone.put({ scope: "shop", name: "public", members });
    zone.put({
      scope: "shop",
      name: "mapped",
      members: [{ addresses: ["::ffff:127.0.0.1"], ports: [] }],
    });
    await using upstream = await start({ zone });
    await using server = await start({ upstreams: upstream.endpoints, refusePrivateAnswers: true });
    assert.equal((await ask(server, "web.shop.example.test")).rcode, "REFUSED");
    assert.equal((await ask(server, "web.shop.example.test", { type: "AAAA" })).rcode, "REFUSED");
    assert.equal(
      (await ask(server, "mapped.shop.example.test", { type: "AAAA" })).rcode,
      "REFUSED",
    );
    assert.equal((await ask(server, "public.shop.example.test")).rcode, "NOERROR");
    assert.equal(
      (await ask(server, "public.shop.example.test", { type: "AAAA" })).rcode,
      "NOERROR",
    );
    assert.equal(server.readCounters().forbidden, 3);
  });

  test("strangers get the zone's names, and no others", async () => {
    await using upstream = await outside();
    const clientNetworks = ["192.0.2.0/24"];
    await using server = await start({ upstreams: upstream.endpoints, clientNetworks });
    assert.equal((await ask(server, "web.shop.example.test")).rcode, "REFUSED");
    assert.equal((await ask(server, "web.shop.fairlead.internal")).rcode, "NOERROR");
    assert.equal(upstream.readCounters().messages, 0);
  });
});

/** Standard output of a program that ends well. */
async function run(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [code] = (await once(child, "close")) as [number];
  assert.equal(code, 0, `${program} ${args.join(" ")}: ${output}`);
  return output;
}

for (const [program, portFlag] of [
  ["dig", "-p"],
  ["kdig", "-p"],
] as const) {
  describe(program, () => {
    before(() => {
      assert.ok(
        existsSync(`/usr/bin/${program}`),
        `${program} is missing: npm run setup brings it`,
      );
    });
    const look = (server: DnsServer, ...args: string[]): Promise<string> =>
      run(program, ["@127.0.0.1", portFlag, String(endpointOf(server).port), ...args]);

    test("reads addresses, and comes back over TCP when the answer was cut", async () => {
      await using server = await start();
      const short = await look(server, "web.shop.fairlead.internal", "A", "+short");
      assert.deepEqual(short.trim().split("\n").sort(), ["10.0.0.0", "10.0.0.1"]);
      const many = await look(server, "many.shop.fairlead.internal", "AAAA", "+short", "+noedns");
      assert.equal(many.trim().split("\n").length, 60);
    });

    test("reads SRV, PTR and negative answers without a complaint", async () => {
      await using server = await start();
      const srv = await look(server, "_http._tcp.web.shop.fairlead.internal", "SRV", "+short");
      assert.match(srv, /^0 0 80 [01]\.web\.shop\.fairlead\.internal\.$/m);
      const pointer = await look(server, "-x", "10.0.0.40", "+short");
      assert.equal(pointer.trim(), "40.many.shop.fairlead.internal.");
      const none = await look(server, "none.shop.fairlead.internal");
      assert.match(none, /NXDOMAIN/);
      assert.match(none, /IN\s+SOA\s+dns\.fairlead\.internal\. hostmaster\.fairlead\.internal\./);
      assert.doesNotMatch(none, /malformed|extra|parser/i);
    });
  });
}
