// SPDX-License-Identifier: Apache-2.0
// Processes of `discovery.ts`: the hub, those who watch, those who are killed.
import { setTimeout as sleep } from "node:timers/promises";
import { openHub } from "@fairlead/fabric/testing/open-hub.ts";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import { join, type Agent } from "@fairlead/sdk";
import { z } from "zod";
import { silentLogger } from "#base/logger.ts";
import { joinMulticast } from "#discovery/multicast/join-multicast.ts";
import type { MulticastDiscovery } from "#discovery/multicast/start-member.ts";
import { buildRecord } from "#discovery/testing/build-record.ts";
import { createSystemClock } from "#node/system-clock.ts";
import { followOrders, monotonicMs } from "./worker-process.ts";

const GROUP = { group: z.string(), port: z.number(), heartbeatMs: z.number() };
const ORDER = z.discriminatedUnion("do", [
  z.object({ do: z.literal("hub") }),
  z.object({ do: z.literal("fill"), count: z.number() }),
  z.object({ do: z.literal("change"), aSecond: z.number(), seconds: z.number() }),
  z.object({ do: z.literal("measure") }),
  z.object({ do: z.literal("join"), node: z.string(), name: z.string() }),
  z.object({ do: z.literal("watch"), node: z.string(), watchers: z.number() }),
  z.object({ do: z.literal("join-group"), name: z.string(), ...GROUP }),
  z.object({ do: z.literal("watch-group"), watchers: z.number(), ...GROUP }),
  z.object({ do: z.literal("await"), type: z.enum(["up", "gone"]), name: z.string() }),
  z.object({ do: z.literal("end") }),
]);
type Order = z.infer<typeof ORDER>;
type Group = Pick<Extract<Order, { do: "join-group" }>, "group" | "port" | "heartbeatMs">;

const stack = new AsyncDisposableStack();
const ending = new AbortController();
let hub: Awaited<ReturnType<typeof openHub>> | undefined;
let watchers = 0;
/** When each watcher saw something, by what it was. */
const seen = new Map<string, number[]>();
const delaysMs: number[] = [];
let onSeen: () => void = () => undefined;

function makeRecord(index: number, atMs: number): AgentRecord {
  const tags = atMs === 0 ? {} : { at: String(atMs) };
  return buildRecord(`id-${index}`, { name: `agent-${index}`, scope: "default", tags });
}

/** Changes records at an even pace; each says when it was changed. */
async function change(aSecond: number, seconds: number): Promise<void> {
  const beganMs = monotonicMs();
  const count = aSecond * seconds;
  const size = hub?.registry.size ?? 1;
  for (let done = 0; done < count;) {
    const due = Math.min(count, ((monotonicMs() - beganMs) * aSecond) / 1_000);
    for (; done < due; done++) hub?.registry.put(makeRecord(done % size, monotonicMs()));
    await sleep(1);
  }
}

function note(type: string, name: string): void {
  const key = `${type} ${name}`;
  seen.set(key, [...(seen.get(key) ?? []), monotonicMs()]);
  onSeen();
}

type Changes = ReturnType<Agent["watch"]>;

async function watch(changes: Changes | ReturnType<MulticastDiscovery["watch"]>): Promise<void> {
  for await (const { type, agent } of changes) {
    const at = agent.tags["at"];
    if (at !== undefined) delaysMs.push(monotonicMs() - Number(at));
    else if (!agent.id.startsWith("id-")) note(type, agent.name);
  }
}

async function joinGroup(sender: string, group: Group): Promise<MulticastDiscovery> {
  const discovery = await joinMulticast(
    { sender, secret: Buffer.alloc(32, "bench"), interfaceAddress: "127.0.0.1", ...group },
    { clock: createSystemClock(), random: Math.random, logger: silentLogger },
  );
  return stack.use(discovery);
}

/** When each of the watchers saw it; waits until all have. */
async function awaitSeen(type: string, name: string): Promise<readonly number[]> {
  const key = `${type} ${name}`;
  while ((seen.get(key)?.length ?? 0) < watchers)
    await new Promise<void>((resolve) => (onSeen = resolve));
  return seen.get(key) ?? [];
}

async function followWatching(order: Extract<Order, { do: `watch${string}` }>): Promise<object> {
  watchers = order.watchers;
  for (let index = 0; index < watchers; index++) {
    const name = `watcher-${index}`;
    if (order.do === "watch") {
      const agent = stack.use(await join({ name, node: order.node }));
      void watch(agent.watch());
    } else {
      const { group, port, heartbeatMs } = order;
      const discovery = await joinGroup(name, { group, port, heartbeatMs });
      void watch(discovery.watch(ending.signal));
    }
  }
  return {};
}

async function followJoining(order: Extract<Order, { do: `join${string}` }>): Promise<object> {
  if (order.do === "join") {
    const agent = stack.use(await join({ name: order.name, node: order.node }));
    return { id: agent.id };
  }
  const { name, group, port, heartbeatMs } = order;
  const discovery = await joinGroup(name, { group, port, heartbeatMs });
  await discovery.announce({ ...makeRecord(0, 0), id: name, name });
  return { id: name };
}

/** Memory as it is, and what of the heap is alive where garbage may be collected now. */
async function measure(): Promise<object> {
  const rssMb = process.memoryUsage.rss() / 1_048_576;
  const collect = globalThis.gc;
  if (collect === undefined) return { delaysMs: delaysMs.splice(0), rssMb };
  await collect({ execution: "async" });
  const heapMb = process.memoryUsage().heapUsed / 1_048_576;
  return { delaysMs: delaysMs.splice(0), rssMb, heapMb };
}

async function follow(order: Order): Promise<object> {
  switch (order.do) {
    case "hub":
      hub = stack.use(await openHub());
      return { address: hub.address };
    case "fill":
      for (let index = 0; index < order.count; index++) hub?.registry.put(makeRecord(index, 0));
      return {};
    case "change":
      await change(order.aSecond, order.seconds);
      return {};
    case "measure":
      return measure();
    case "join":
    case "join-group":
      return followJoining(order);
    case "watch":
    case "watch-group":
      return followWatching(order);
    case "await":
      return { atMs: await awaitSeen(order.type, order.name) };
    case "end":
      ending.abort();
      await stack.disposeAsync();
      return {};
  }
}

followOrders(ORDER, follow);
