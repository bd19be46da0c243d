// SPDX-License-Identifier: Apache-2.0
// A process of `strain.real.test.ts`: serves work, hears messages, and offers calls at an even pace.
import { setTimeout as sleep } from "node:timers/promises";
import { contract, FabricError, join, rpc, type Agent } from "@fairlead/sdk";
import { z } from "zod";
import { followOrders, monotonicMs } from "../../../bench/worker-process.ts";

/** How calls are routed, to compare: `ewma breaker=32` bounds what one instance is given at once. */
const ROUTE = process.env["FAIRLEAD_STRAIN_ROUTE"];
const METHODS = { do: rpc({ in: z.number(), out: z.number(), idempotent: true }) };
const WORK = contract("work", "1.0.0", METHODS);
const ORDER = z.discriminatedUnion("do", [
  z.object({ do: z.literal("serve"), node: z.string(), name: z.string(), busyMs: z.number() }),
  z.object({ do: z.literal("fail"), failing: z.boolean() }),
  z.object({ do: z.literal("hear"), node: z.string(), name: z.string(), pauseMs: z.number() }),
  z.object({ do: z.literal("join"), node: z.string(), name: z.string() }),
  z.object({ do: z.literal("close"), agent: z.string(), inFlight: z.number(), forMs: z.number() }),
  z.object({
    do: z.literal("offer"),
    agent: z.string(),
    aSecond: z.number(),
    forMs: z.number(),
    deadlineMs: z.number(),
  }),
  z.object({ do: z.literal("measure") }),
]);

let agent: Agent | undefined;
let failing = false;
let count = 0;
/** From sending to hearing, of each message. */
const tookMs: number[] = [];

function need(): Agent {
  if (agent === undefined) throw new Error("join first");
  return agent;
}

/** Takes the processor, as work does. */
function beBusy(forMs: number): void {
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs);
}

async function serve(node: string, name: string, busyMs: number): Promise<object> {
  agent = await join({ name, node, ...(ROUTE === undefined ? {} : { route: ROUTE }) });
  await agent.serve(WORK, {
    do(number) {
      count++;
      if (failing) throw new FabricError("unavailable", "failing as ordered");
      beBusy(busyMs);
      return number;
    },
  });
  return {};
}

/** So many at once, each following the last: what is done in a second is the most that can be. */
async function close(to: string, inFlight: number, forMs: number): Promise<object> {
  const client = need().client(WORK, { agent: to });
  const endMs = performance.now() + forMs;
  let good = 0;
  const run = async (): Promise<void> => {
    while (performance.now() < endMs) await client.do(1).then(() => good++);
  };
  await Promise.all(Array.from({ length: inFlight }, run));
  return { goodASecond: (good * 1_000) / forMs };
}

/** Calls at an even pace, whatever becomes of them: when each was made that went well, and how many were refused there. */
async function offer(order: {
  readonly agent: string;
  readonly aSecond: number;
  readonly forMs: number;
  readonly deadlineMs: number;
}): Promise<object> {
  const client = need().client(WORK, { agent: order.agent });
  const beganMs = performance.now();
  const wells: number[] = [];
  const bads: number[] = [];
  let refused = 0;
  const pending = new Set<Promise<void>>();
  let offered = 0;
  for (let nowMs = 0; nowMs < order.forMs; nowMs = performance.now() - beganMs) {
    for (; offered < (nowMs * order.aSecond) / 1_000; offered++) {
      const atMs = performance.now() - beganMs;
      const one = client.do(1, { timeout: order.deadlineMs }).then(
        () => void wells.push(atMs),
        (thrown: unknown) => {
          bads.push(atMs);
          if (FabricError.from(thrown).reason === "overloaded") refused++;
        },
      );
      pending.add(one);
      void one.finally(() => pending.delete(one));
    }
    await sleep(1);
  }
  await Promise.all(pending);
  return { offered, wells, bads, refused, tookMs: performance.now() - beganMs };
}

followOrders(ORDER, async (order): Promise<object> => {
  switch (order.do) {
    case "serve":
      return serve(order.node, order.name, order.busyMs);
    case "fail":
      failing = order.failing;
      return {};
    case "hear":
      agent = await join({ name: order.name, node: order.node });
      agent.hear(`to.${order.name}`, async ({ bytes }) => {
        count++;
        tookMs.push(monotonicMs() - Buffer.from(bytes).readDoubleLE());
        if (order.pauseMs > 0) await sleep(order.pauseMs);
      });
      return {};
    case "join":
      agent = await join({ name: order.name, node: order.node });
      return {};
    case "close":
      return close(order.agent, order.inFlight, order.forMs);
    case "offer":
      return offer(order);
    case "measure":
      return { count, tookMs, rssMb: process.memoryUsage().rss / 1_048_576 };
  }
});
