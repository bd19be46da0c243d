// SPDX-License-Identifier: Apache-2.0
// Real connections on loopback.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { baseErrors, FairleadError } from "#base/errors.ts";
import { issueCredential, makeKey } from "#identity/authority.ts";
import { createLabAuthority } from "#lab/peer-credentials.ts";
import type { PeerCredentials, Peering, PeerPlace, PeerReply } from "./peering.ts";
import { startPeering } from "./start-peering.ts";

const lab = await createLabAuthority();
const stranger = await createLabAuthority();
const ADDRESS = "127.0.0.1";

async function start(id: string, by = lab): Promise<Peering> {
  return startPeering({ address: ADDRESS, port: 0, credentials: await by.issue(id) });
}

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

test("strangers get nothing and are counted: another authority, no certificate, no TLS, a node other than was meant", async () => {
  await using a = await start("a");
  const reasons: string[] = [];
  await using b = await startPeering({
    address: ADDRESS,
    port: 0,
    credentials: await lab.issue("b"),
    onRefused: ({ reason }) => void reasons.push(reason),
  });
  await using other = await start("a", stranger);
  b.answer("/secret", async () => ({ kind: "value", value: "treasure" }));
  other.answer("/secret", async () => ({ kind: "value", value: "forged" }));
  assert.equal(await refusal(other.ask(place("b", b), "/secret")), "peer-untrusted");
  await awaitRefused(b, 1);
  assert.equal(await refusal(b.ask(place("a", other), "/secret")), "peer-untrusted");
  await using c = await start("c");
  assert.equal(await refusal(a.ask(place("d", c), "/secret")), "peer-untrusted");

  // With TLS 1.3 who connects is done before its certificate is looked at.
  const bare = connectTls({ host: ADDRESS, port: b.port, rejectUnauthorized: false });
  bare.on("error", () => undefined).write("GET /secret HTTP/1.1\r\nHost: b\r\n\r\n");
  const said: Buffer[] = [];
  bare.on("data", (piece: Buffer) => said.push(piece));
  await new Promise((resolve) => bare.once("close", resolve));
  assert.equal(Buffer.concat(said).toString(), "");
  await awaitRefused(b, 2);
  const plain = connect(b.port, ADDRESS);
  plain.end("GET /secret HTTP/1.1\r\n\r\n");
  assert.doesNotMatch((await buffer(plain)).toString(), /treasure/);
  await awaitRefused(b, 3);
  const old = connectTls({ host: ADDRESS, port: b.port, maxVersion: "TLSv1.2" });
  await assert.rejects(once(old, "secureConnect"));
  await awaitRefused(b, 4);
  assert.deepEqual(b.readCounters(), { answered: 0, refused: 4 });
  assert.equal(reasons.length, 4, reasons.join("; "));
});

/** A node that shows a certificate which the test has made. */
async function startWith(parts: Partial<Parameters<typeof issueCredential>[1]>): Promise<Peering> {
  const base = { uri: "spiffe://lab/fairlead/node/a", key: await makeKey(), nowMs: Date.now() };
  const credential = await issueCredential(lab.authority, { ...base, ...parts });
  const credentials = await lab.issue("a");
  return startPeering({
    address: ADDRESS,
    port: 0,
    credentials: {
      ...credentials,
      read: () => ({ ...credential, authorities: [lab.authority.certificate] }),
    },
  });
}

test("a certificate that has run out, begins later, or is an agent's or another fleet's is refused on both sides", async () => {
  await using b = await start("b");
  b.answer("/secret", async () => ({ kind: "value", value: "treasure" }));
  const hourMs = 3_600_000;
  const cases = [
    { nowMs: Date.now() - 1.01 * hourMs },
    { nowMs: Date.now() + 1.01 * hourMs },
    { uri: "spiffe://lab/shop/web" },
    { uri: "spiffe://other/fairlead/node/a" },
    { uri: "https://lab/fairlead/node/a" },
  ];
  for (const [index, one] of cases.entries()) {
    await using a = await startWith(one);
    a.answer("/secret", async () => ({ kind: "value", value: "forged" }));
    const says = JSON.stringify(one);
    assert.equal(await refusal(b.ask(place("a", a), "/secret")), "peer-untrusted", says);
    const asked = await refusal(a.ask(place("b", b), "/secret"));
    // What fails in the handshake is cut off: who asked is not told why.
    assert.match(asked, /^peer-(untrusted|unreachable)$/, says);
    await awaitRefused(b, index + 1);
  }
  assert.equal(b.readCounters()["answered"], 0);
});

test("what an authority shows of itself is no node's certificate", async () => {
  await using b = await start("b");
  const { authority } = lab;
  const credentials = await lab.issue("a");
  await using a = await startPeering({
    address: ADDRESS,
    port: 0,
    credentials: {
      ...credentials,
      read: () => ({ ...authority, authorities: [authority.certificate] }),
    },
  });
  const asked = await refusal(a.ask(place("b", b), "/secret"));
  assert.match(asked, /^peer-(untrusted|unreachable)$/);
  await awaitRefused(b, 1);
});

test("who is cut off while it still looks whom it has reached is told so, and goes on", async () => {
  await using b = await start("b", stranger);
  const own = await lab.issue("a");
  const { promise: isCut, resolve: cut } = Promise.withResolvers<void>();
  const credentials: PeerCredentials = {
    ...own,
    read: () => ({ ...own.read(), authorities: [stranger.authority.certificate] }),
    async identify() {
      await isCut;
      return "b";
    },
  };
  await using a = await startPeering({ address: ADDRESS, port: 0, credentials });
  const asked = refusal(a.ask(place("b", b), "/secret"));
  await awaitRefused(b, 1);
  // The word of it is on its way by now, and there before what is sent later.
  setTimeout(cut, 50);
  assert.match(await asked, /^peer-(untrusted|unreachable)$/);
});

test("who is believed no more is cut off at once, in both directions, and others are not", async () => {
  const own = await lab.issue("b");
  await using b = await startPeering({ address: ADDRESS, port: 0, credentials: own });
  const [thief, honest] = [await lab.issue("a"), await lab.issue("c")];
  await using a = await startPeering({ address: ADDRESS, port: 0, credentials: thief });
  await using c = await startPeering({ address: ADDRESS, port: 0, credentials: honest });
  const takeAll = async (): Promise<PeerReply> => ({
    kind: "connection",
    take: (it) => it.pipe(it),
  });
  for (const one of [a, b, c]) one.answer("/talk", takeAll);
  const stolen = [await a.connect(place("b", b), "/talk"), await b.connect(place("a", a), "/talk")];
  const kept = await c.connect(place("b", b), "/talk");
  const cut = stolen.map((stream) => once(stream.on("error", () => undefined).resume(), "close"));
  own.distrust(thief.keyHash);
  await Promise.all(cut);
  assert.equal(await refusal(a.connect(place("b", b), "/talk")), "peer-untrusted");
  kept.write("still here");
  const [echoed] = (await once(kept, "data")) as [Buffer];
  assert.equal(echoed.toString(), "still here");
  kept.destroy();
});

test("a certificate is renewed under an open connection, which stays; new ones use the new", async () => {
  const own = await lab.issue("b");
  await using b = await startPeering({ address: ADDRESS, port: 0, credentials: own });
  await using a = await start("a");
  b.answer("/talk", async () => ({ kind: "connection", take: (it) => it.pipe(it) }));
  const kept = await a.connect(place("b", b), "/talk");
  for (let index = 0; index < 3; index++) {
    await own.renew();
    kept.write("still here");
    await once(kept, "data");
    (await a.connect(place("b", b), "/talk")).destroy();
  }
  // So that it is seen to be the new one: with one that has run out nobody connects any more.
  await own.renew(Date.now() - 4_000_000);
  assert.equal(await refusal(a.connect(place("b", b), "/talk")), "peer-untrusted");
  kept.write("still here");
  await once(kept, "data");
  kept.destroy();
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
  const second = startPeering({
    address: ADDRESS,
    port: a.port,
    credentials: await lab.issue("b"),
  });
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
  await using other = await start("c", stranger);
  assert.equal(await refusal(other.connect(place("b", b), "/talk")), "peer-untrusted");
});
