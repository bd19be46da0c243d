// SPDX-License-Identifier: Apache-2.0
// Real connections on loopback.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { buffer, text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { baseErrors, FairleadError } from "#base/errors.ts";
import type { Peering, PeerPlace } from "./peering.ts";
import { startPeering } from "./start-peering.ts";

const SECRET = Buffer.alloc(32, 7);
const ADDRESS = "127.0.0.1";

const start = (id: string, secret = SECRET): Promise<Peering> =>
  startPeering({ id, address: ADDRESS, port: 0, secret });

const place = (id: string, { port }: Pick<Peering, "port">): PeerPlace => ({
  id,
  address: ADDRESS,
  port,
});

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (thrown) {
    assert.ok(thrown instanceof FairleadError, String(thrown));
    return thrown.kind.slug;
  }
  return "was accepted";
}

/** Waits until a counter of refusals has that value. */
async function awaitRefused(peering: Peering, count: number): Promise<void> {
  while ((peering.readCounters()["refused"] ?? 0) < count)
    await new Promise((resolve) => setImmediate(resolve));
}

test("a node asks another for a value and is told from whom it comes; refusals carry their code", async () => {
  await using a = await start("a");
  await using b = await start("b");
  b.answer("/echo", async ({ from, query }) => ({
    kind: "value",
    value: { from, said: query.get("say") },
  }));
  b.answer("/no", () => Promise.reject(new FairleadError(baseErrors.overloaded, "not now")));
  const said = await a.ask(place("b", b), "/echo", { query: { say: "ahoy & more" } });
  assert.deepEqual(said, { from: "a", said: "ahoy & more" });
  await assert.rejects(a.ask(place("b", b), "/no"), (error: FairleadError) => {
    assert.deepEqual([error.kind.slug, error.message], ["peer-refused", "not now"]);
    assert.equal(error.facts["code"], "resource_exhausted");
    return true;
  });
  assert.equal(await refusal(a.ask(place("b", b), "/unknown")), "peer-refused");
});

test("strangers get nothing and are counted: another key, no key, no TLS, a node other than was meant", async () => {
  await using a = await start("a");
  await using b = await start("b");
  await using stranger = await start("a", Buffer.alloc(32, 8));
  b.answer("/secret", async () => ({ kind: "value", value: "treasure" }));
  stranger.answer("/secret", async () => ({ kind: "value", value: "forged" }));
  assert.equal(await refusal(stranger.ask(place("b", b), "/secret")), "peer-untrusted");
  await awaitRefused(b, 1);
  assert.equal(await refusal(b.ask(place("a", stranger), "/secret")), "peer-untrusted");
  assert.equal(await refusal(a.ask(place("c", b), "/secret")), "peer-untrusted");
  await awaitRefused(b, 2);

  const bare = connectTls({ host: ADDRESS, port: b.port, rejectUnauthorized: false });
  await assert.rejects(once(bare, "secureConnect"));
  await awaitRefused(b, 3);
  const plain = connect(b.port, ADDRESS);
  plain.end("GET /secret HTTP/1.1\r\n\r\n");
  assert.doesNotMatch((await buffer(plain)).toString(), /treasure/);
  await awaitRefused(b, 4);
  assert.deepEqual(b.readCounters(), { answered: 0, refused: 4 });
});

test("a handshake that is sent back to its sender is none", async () => {
  await using a = await start("a");
  a.answer("/secret", async () => ({ kind: "value", value: "treasure" }));
  const mirror = createServer((socket) => {
    const back = connect(a.port, ADDRESS);
    socket.pipe(back).pipe(socket);
    for (const one of [socket, back]) one.on("error", () => undefined);
  }).listen(0, ADDRESS);
  await once(mirror, "listening");
  const { port } = mirror.address() as AddressInfo;
  assert.equal(await refusal(a.ask(place("b", { port }), "/secret")), "peer-untrusted");
  mirror.close();
});

test("one address may have 32 connections, however little it says", async () => {
  await using b = await start("b");
  const sockets: Socket[] = [];
  for (let index = 0; index < 33; index++) {
    const socket = connect(b.port, ADDRESS);
    socket.on("error", () => undefined);
    sockets.push(socket);
  }
  await awaitRefused(b, 1);
  for (const socket of sockets) socket.destroy();
});

test("bytes are read no faster than they are taken, arrive whole, and leaving off ends their making", async () => {
  await using a = await start("a");
  await using b = await start("b");
  let made = 0;
  let ended = false;
  const piece = Buffer.alloc(65_536, 1);
  b.answer("/bytes", async ({ query }) => ({
    kind: "stream",
    chunks: (async function* () {
      try {
        for (; made < Number(query.get("count")); made++) yield piece;
      } finally {
        ended = true;
      }
    })(),
  }));
  const whole = await a.stream(place("b", b), "/bytes", { query: { count: "16" } });
  assert.equal((await buffer(whole)).length, 16 * piece.length);

  made = 0;
  ended = false;
  const endless = await a.stream(place("b", b), "/bytes", { query: { count: "1000000" } });
  let before = -1;
  while (before !== made) {
    before = made;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.ok(made < 1_000, `${made} pieces were made for nobody`);
  for await (const _ of endless) break;
  while (!ended) await new Promise((resolve) => setImmediate(resolve));
});

test("a stream that is cut never looks whole", async () => {
  await using a = await start("a");
  await using b = await start("b");
  b.answer("/half", async () => ({
    kind: "stream",
    chunks: (async function* () {
      yield Buffer.from("half");
      throw new FairleadError(baseErrors.internal, "the disk broke");
    })(),
  }));
  const half = await a.stream(place("b", b), "/half");
  assert.equal(await refusal(buffer(half)), "peer-unreachable");
});

test("a port that is taken is refused", async () => {
  await using a = await start("a");
  const second = startPeering({ id: "b", address: ADDRESS, port: a.port, secret: SECRET });
  assert.equal(await refusal(second), "peering-listen");
});

test("a connection goes both ways, and who cannot take it says why", async () => {
  await using a = await start("a");
  await using b = await start("b");
  b.answer("/talk", async ({ from, query }) => {
    if (query.get("to") !== "b") throw new FairleadError(baseErrors.overloaded, "not now");
    return {
      kind: "connection",
      take: (stream) =>
        void stream.once("data", (said) => stream.end(`${from} said ${String(said)}`)),
    };
  });
  const stream = await a.connect(place("b", b), "/talk", { query: { to: "b" } });
  stream.write("ahoy");
  assert.equal(await text(stream), "a said ahoy");
  await assert.rejects(a.connect(place("b", b), "/talk"), (error: FairleadError) => {
    assert.deepEqual([error.kind.slug, error.message], ["peer-refused", "not now"]);
    return true;
  });
  assert.equal(await refusal(a.connect(place("b", b), "/unknown")), "peer-refused");
  assert.equal(
    await refusal(a.ask(place("b", b), "/talk", { query: { to: "b" } })),
    "peer-refused",
  );
  await using stranger = await start("c", Buffer.alloc(32, 8));
  assert.equal(await refusal(stranger.connect(place("b", b), "/talk")), "peer-untrusted");
});
