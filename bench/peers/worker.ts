// SPDX-License-Identifier: Apache-2.0
// One end in a process of its own; its parent says what to do. Started by `ends.ts`.
import { z } from "zod";
import { followOrders, monotonicMs } from "../worker-process.ts";
import { loadPeer } from "./load-peer.ts";
import { MESSAGE_BYTES, type Receiving, type Sending } from "./peer.ts";

const END = { broker: z.string(), name: z.string(), host: z.string().exactOptional() };
const ORDER = z.discriminatedUnion("do", [
  z.object({ do: z.literal("receive"), ...END }),
  z.object({
    do: z.literal("connect"),
    ...END,
    receivers: z.array(z.string()),
  }),
  z.object({ do: z.literal("expect"), count: z.number() }),
  z.object({ do: z.literal("arrive") }),
  z.object({ do: z.literal("send"), count: z.number() }),
  z.object({ do: z.literal("ask"), count: z.number() }),
  z.object({ do: z.literal("end") }),
]);
type Order = z.infer<typeof ORDER>;

const payload = Buffer.alloc(MESSAGE_BYTES, "m");
let receiving: Receiving | undefined;
let sending: Sending | undefined;
let count = 0;
let wanted = Infinity;
let arrived = Promise.withResolvers<number>();

function onMessage(): void {
  if (++count === wanted) arrived.resolve(monotonicMs());
}

async function send(to: Sending, messages: number): Promise<number> {
  const beganMs = monotonicMs();
  for (let sent = 0; sent < messages; sent++) {
    const wait = to.send(payload);
    if (wait !== undefined) await wait;
  }
  await to.flush();
  return beganMs;
}

async function ask(to: Sending, questions: number): Promise<readonly number[]> {
  const took: number[] = [];
  for (let asked = 0; asked < questions; asked++) {
    const beganMs = performance.now();
    await to.ask(payload);
    took.push((performance.now() - beganMs) * 1_000);
  }
  return took;
}

async function follow(order: Order): Promise<object> {
  const peer = await loadPeer(process.argv[2] ?? "");
  if (order.do === "receive") {
    receiving = await peer.receive({ ...order, onMessage });
    return { address: receiving.address };
  }
  if (order.do === "connect") {
    sending = await peer.connect(order);
    return {};
  }
  if (order.do === "expect") {
    count = 0;
    wanted = order.count;
    arrived = Promise.withResolvers();
    return {};
  }
  if (order.do === "arrive") return { atMs: await arrived.promise };
  if (order.do === "end") {
    await sending?.[Symbol.asyncDispose]();
    await receiving?.[Symbol.asyncDispose]();
    return {};
  }
  if (sending === undefined) throw new Error("this end was not told to connect");
  if (order.do === "send") return { beganMs: await send(sending, order.count) };
  return { tookUs: await ask(sending, order.count) };
}

followOrders(ORDER, follow);
