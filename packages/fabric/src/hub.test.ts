// SPDX-License-Identifier: Apache-2.0
// Peers whose limits are too low for what the node has to tell them. They are not served; nobody else notices.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { JOINING } from "@fairlead/protocol/testing/record-of.ts";
import type { Conversation } from "./conversation.ts";
import { FabricError } from "./errors.ts";
import type { Open, Status } from "./frame.ts";
import type { HubMethod, HubOptions } from "./hub.ts";
import { encodeJson } from "./json.ts";
import { Link } from "./link.ts";
import { HEADER } from "./log-headers.ts";
import { createLogMethods } from "./log-service.ts";
import { openLog } from "./log/open.ts";
import { createMemoryTransports } from "./memory-transport.ts";
import { createTestHub } from "./testing/open-hub.ts";

const RECORD = { ...JOINING, skills: ["a skill with a name of some length"] };

function openNode(
  methods: ReadonlyMap<string, HubMethod> = new Map(),
  limits: Pick<HubOptions, "relaysPerSecondMax"> = {},
) {
  const { registry, hub } = createTestHub({ methods, ...limits });
  async function enter(name: string, payloadBytesMax: number): Promise<Link> {
    const [near, far] = createMemoryTransports();
    hub.accept(far);
    const self = { id: `${name}.1`, name, scope: "shop" };
    const accept = (): void => undefined;
    const link = new Link({ transport: near, dialled: true, self, accept, payloadBytesMax });
    await link.ready;
    return link;
  }
  return { registry, hub, enter };
}

const toNode = (method: string): Open => ({
  target: "",
  method,
  deadlineMs: 0,
  caller: "",
  hops: 0,
  idempotent: false,
  streams: true,
  proof: "",
});

/** Resolves with the status that the conversation ends with. */
function endOf(conversation: Conversation): Promise<Status> {
  return new Promise((resolve) => {
    conversation.handlers = {
      onItem: () => undefined,
      onEnd: (status) => resolve(status),
      onCancel: () => undefined,
      onRoom: () => undefined,
    };
  });
}

/** Resolves with the first item. */
function firstOf(conversation: Conversation): Promise<string> {
  return new Promise((resolve, reject) => {
    conversation.handlers = {
      onItem: (payload) => resolve(Buffer.from(payload).toString()),
      onEnd: (status) => reject(new Error(status.message)),
      onCancel: reject,
      onRoom: () => undefined,
    };
  });
}

test("a watcher that cannot be told of who joins loses its watch; who joins is let in", async () => {
  const { hub, enter, registry } = openNode();
  const small = await enter("small", 100);
  const watch = small.open(toNode("$node/watch"), { payload: encodeJson({}) });
  const ended = endOf(watch);
  const large = await enter("large", 1_000_000);
  const answer = firstOf(large.open(toNode("$node/join"), { payload: encodeJson(RECORD) }));
  assert.match(await answer, /"scope":"shop"/);
  assert.equal((await ended).reason, "too-large");
  assert.equal(registry.size, 1);
  hub.close();
});

test("a watcher that can be told nothing at all leaves nothing behind", async () => {
  const { hub, enter } = openNode();
  const small = await enter("small", 1);
  const status = await endOf(small.open(toNode("$node/watch"), { payload: encodeJson({}) }));
  assert.equal(status.reason, "too-large");
  const large = await enter("large", 1_000_000);
  await firstOf(large.open(toNode("$node/join"), { payload: encodeJson(RECORD) }));
  hub.close();
});

test("who cannot be told that it joined has not joined", async () => {
  const { hub, enter, registry } = openNode();
  const small = await enter("small", 1);
  const joining = small.open(toNode("$node/join"), { payload: encodeJson(RECORD) });
  assert.equal((await endOf(joining)).reason, "too-large");
  assert.equal(registry.size, 0);
  hub.close();
});

test("a call whose last item is too large for its receiver fails; the caller's link stays", async () => {
  const { hub, enter } = openNode();
  const small = await enter("small", 10_000);
  await firstOf(small.open(toNode("$node/join"), { payload: encodeJson(RECORD) }));
  const caller = await enter("caller", 1_000_000);
  const calling = caller.open({ ...toNode("web/call"), target: "small" });
  const ended = endOf(calling);
  calling.end(Buffer.alloc(20_000));
  assert.equal((await ended).reason, "too-large");
  assert.equal(caller.closed, false);
  hub.close();
});

test("a publisher that takes no receipt, and one that settles nonsense, are told so and give back what they had", async () => {
  const clock = {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    sleep: (delayMs: number, signal: AbortSignal) => sleep(delayMs, undefined, { signal }),
  };
  await using log = openLog({ kind: "memory" }, { clock });
  const convert = (thrown: unknown): FabricError => FabricError.from(thrown, "internal");
  const { hub, enter } = openNode(createLogMethods({ log, nowMs: () => 0, convert }));
  const small = await enter("small", 1);
  const publishing = small.open(toNode("$log/publish"));
  const published = endOf(publishing);
  publishing.trySend(Buffer.from("x"), { [HEADER.subject]: "orders.new", [HEADER.id]: "1" });
  assert.equal((await published).reason, "too-large");

  const large = await enter("large", 1_000_000);
  const payload = encodeJson({ pattern: "orders.>" });
  const subscribing = large.open(toNode("$log/subscribe"), { payload });
  const subscribed = endOf(subscribing);
  subscribing.trySend(Buffer.from("nonsense"));
  assert.match((await subscribed).message, /not JSON/);
  for (let turn = 0; turn < 1_000 && log.stats().groups.length > 0; turn++)
    await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(log.stats().groups, []);
  assert.equal(large.closed, false);
  hub.close();
});

test("an agent that floods its node with calls is refused above a rate; others are not", async () => {
  const { enter } = openNode(new Map(), { relaysPerSecondMax: 10 });
  const [flooding, other] = [await enter("flooding", 1_000_000), await enter("other", 1_000_000)];
  const ask = (link: Link): Promise<Status> =>
    endOf(link.open({ ...toNode("any/thing"), target: "nobody" }));
  const ends = await Promise.all(Array.from({ length: 1_000 }, () => ask(flooding)));
  const refused = ends.filter(({ reason }) => reason === "rate");
  assert.ok(refused.length > 900, `${refused.length} of 1000 were refused`);
  assert.ok(refused.every(({ code, retryable }) => code === 8 && retryable));
  assert.equal((await ask(other)).reason, "no-agent");
});
