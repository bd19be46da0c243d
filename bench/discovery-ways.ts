// SPDX-License-Identifier: Apache-2.0
// The same hundred agents, learned of by asking again and again, by a watch over a stream, and by multicast: how soon a
// change is seen, and what goes over the wire for one reader.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent as HttpAgent, createServer as createHttpServer, get } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openHub } from "@fairlead/fabric/testing/open-hub.ts";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import { join } from "@fairlead/sdk";
import { silentLogger } from "#base/logger.ts";
import { joinMulticast } from "#discovery/multicast/join-multicast.ts";
import { buildRecord } from "#discovery/testing/build-record.ts";
import { createSystemClock } from "#node/system-clock.ts";

const AGENTS = 100;
const IDLE_MS = 15_000;
const CHANGES = 30;
const CHANGE_EVERY_MS = 333;
const MULTICAST_HEARTBEAT_MS = 5_000;

/** One way: something is changed at one end and seen at the other. */
export interface Way extends AsyncDisposable {
  change(record: AgentRecord): Promise<void> | void;
  /** Bytes that went over the wire in both directions, headers of IP and UDP left out. */
  readBytes(): number;
}

/** Is told of every record that the reader sees. */
type OnSeen = (record: AgentRecord) => void;

/** What one way costs. */
export interface WayFigures {
  readonly seenMs: readonly number[];
  readonly idleKibPerMinute: number;
}

function makeRecord(index: number, load = 0): AgentRecord {
  return buildRecord(`id-${index}`, {
    name: `agent-${index}`,
    scope: "default",
    tags: {},
    load,
  });
}

/** Passes bytes on to another unix socket and counts them. */
async function openMeter(to: string, path: string) {
  let bytes = 0;
  const count = (chunk: Buffer): void => void (bytes += chunk.length);
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(to);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("data", count).on("error", () => undefined);
    }
    near.pipe(far).pipe(near);
  });
  server.listen(path);
  await once(server, "listening");
  return {
    read: () => bytes,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

async function openPlace(): Promise<{ readonly directory: string } & Disposable> {
  const directory = mkdtempSync(joinPath(tmpdir(), "fairlead-bench-"));
  return { directory, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) };
}

function readBody(socketPath: string, agent: HttpAgent): Promise<{ items: AgentRecord[] }> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path: "/v1/agents", agent }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve(JSON.parse(text)));
    }).on("error", reject);
  });
}

/** A list over HTTP, asked for at that pace over one connection that is kept. */
export async function openPolling(everyMs: number, onSeen: OnSeen): Promise<Way> {
  await using stack = new AsyncDisposableStack();
  const { directory } = stack.use(await openPlace());
  const records = new Map(Array.from({ length: AGENTS }, (_, i) => [`id-${i}`, makeRecord(i)]));
  const server = createHttpServer((_, response) =>
    response.end(JSON.stringify({ items: [...records.values()] })),
  );
  server.listen(joinPath(directory, "server.sock"));
  await once(server, "listening");
  stack.defer(() => void server.close());
  const path = joinPath(directory, "meter.sock");
  const meter = await openMeter(joinPath(directory, "server.sock"), path);
  stack.defer(() => meter.close());
  const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  stack.defer(() => agent.destroy());
  const ending = new AbortController();
  const polling = (async () => {
    while (!ending.signal.aborted) {
      for (const record of (await readBody(path, agent)).items) onSeen(record);
      await sleep(everyMs, undefined, { signal: ending.signal }).catch(() => undefined);
    }
  })();
  stack.defer(async () => {
    ending.abort();
    await polling;
  });
  const owned = stack.move();
  return {
    change: (record) => void records.set(record.id, record),
    readBytes: meter.read,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A watch of the node's registry over a stream. */
export async function openWatch(onSeen: OnSeen): Promise<Way> {
  await using stack = new AsyncDisposableStack();
  const { directory } = stack.use(await openPlace());
  const hub = stack.use(await openHub());
  for (let index = 0; index < AGENTS; index++) hub.registry.put(makeRecord(index));
  const path = joinPath(directory, "meter.sock");
  const meter = await openMeter(hub.address.replace(/^unix:/, ""), path);
  stack.defer(() => meter.close());
  const agent = stack.use(await join({ name: "reader", node: `unix:${path}` }));
  const reading = (async () => {
    for await (const change of agent.watch()) onSeen(change.agent);
  })();
  reading.catch(() => undefined);
  const owned = stack.move();
  return {
    change: (record) => hub.registry.put(record),
    readBytes: meter.read,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Counts what goes to a group. */
async function openGroupMeter(group: string, port: number) {
  let bytes = 0;
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  socket.on("message", (message) => (bytes += message.length));
  socket.bind(port, group);
  await once(socket, "listening");
  socket.addMembership(group, "127.0.0.1");
  return { read: () => bytes, close: () => void socket.close() };
}

/** Two members of a group: one announces all, the other hears. */
export async function openMulticast(onSeen: OnSeen): Promise<Way> {
  await using stack = new AsyncDisposableStack();
  const chance = (): number => Math.floor(Math.random() * 250) + 1;
  const place = { group: `239.255.${chance()}.${chance()}`, port: 20_000 + chance() * 40 };
  const joinGroup = (sender: string) =>
    joinMulticast(
      {
        sender,
        secret: Buffer.alloc(32, "bench"),
        interfaceAddress: "127.0.0.1",
        heartbeatMs: MULTICAST_HEARTBEAT_MS,
        ...place,
      },
      { clock: createSystemClock(), random: Math.random, logger: silentLogger },
    );
  const meter = await openGroupMeter(place.group, place.port);
  stack.defer(meter.close);
  const teller = stack.use(await joinGroup("teller"));
  const reader = stack.use(await joinGroup("reader"));
  const ending = new AbortController();
  const reading = (async () => {
    for await (const change of reader.watch(ending.signal)) onSeen(change.agent);
  })();
  stack.defer(async () => {
    ending.abort();
    await reading;
  });
  for (let index = 0; index < AGENTS; index++) await teller.announce(makeRecord(index));
  const owned = stack.move();
  return {
    async change(record) {
      await teller.announce(record);
    },
    readBytes: meter.read,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Changes one agent after the other, and then none. */
export async function measureWay(open: (onSeen: OnSeen) => Promise<Way>): Promise<WayFigures> {
  const changedAtMs = new Map<number, number>();
  const seenMs: number[] = [];
  await using way = await open(({ load }) => {
    const atMs = changedAtMs.get(load);
    changedAtMs.delete(load);
    if (atMs !== undefined) seenMs.push(performance.now() - atMs);
  });
  await sleep(4_000);
  const before = way.readBytes();
  await sleep(IDLE_MS);
  const idleBytes = way.readBytes() - before;
  for (let load = 1; load <= CHANGES; load++) {
    changedAtMs.set(load, performance.now());
    await way.change(makeRecord(load, load));
    // Not in step with who asks at a pace.
    await sleep(CHANGE_EVERY_MS * (0.5 + Math.random()));
  }
  await sleep(1_500);
  if (seenMs.length < CHANGES) throw new Error(`${seenMs.length} of ${CHANGES} changes were seen`);
  return { seenMs, idleKibPerMinute: (idleBytes / 1_024) * (60_000 / IDLE_MS) };
}
