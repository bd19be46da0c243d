// SPDX-License-Identifier: Apache-2.0
// Real connections on loopback between nodes whose operations are a few words each.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { FlowView } from "@fairlead/protocol/flows.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { ScopeView } from "@fairlead/protocol/views.ts";
import { FairleadError, isKind } from "#base/errors.ts";
import { controlErrors } from "#control/errors.ts";
import type { LogEntry, LogRequest, Operations } from "#control/operations.ts";
import { createLabAuthority } from "#lab/peer-credentials.ts";
import { buildNodeView } from "#model/testing/nodes.ts";
import { createSystemClock } from "#node/system-clock.ts";
import type { Peering } from "#peering/peering.ts";
import { startPeering } from "#peering/start-peering.ts";
import { answerNodes } from "./answer-nodes.ts";
import { createOtherNodes } from "./ask-nodes.ts";
import { spreadOperations } from "./spread-operations.ts";

const ADDRESS = "127.0.0.1";
const clock = createSystemClock();
const REQUEST: LogRequest = { scope: "shop", names: [], follow: false, tail: 100 };

function view(name: string, port: number, parts: Partial<NodeView> = {}): NodeView {
  return buildNodeView(name, { id: name, address: ADDRESS, port, ...parts });
}

function decide(id: string): Decision {
  return {
    id,
    scope: "shop",
    object: "shop-web-1",
    act: "instance.create",
    title: "created web-1",
    actor: "automatic",
    trigger: { kind: "missing", detail: "there is no instance", atMs: 1 },
    rule: { text: "replicas: 1" },
    inputs: {},
    notDone: [],
    startedAtMs: 1,
    outcome: "done",
  };
}

const line = (instance: string, atMs: number, text = "x"): LogEntry => ({
  scope: "shop",
  service: "web",
  instance,
  stream: "stdout",
  atMs,
  text,
});

type Some = Partial<Operations>;

/** Only what a test needs: the rest is not called. */
const toOperations = (some: Some): Operations => some as Operations;

/** Three nodes; `node-a` is asked. What the others have is given, undefined for one that does not answer. */
async function openFleet(own: Some, b: Some, c: Some | undefined) {
  const lab = await createLabAuthority();
  const start = async (id: string): Promise<Peering> =>
    startPeering({ address: ADDRESS, port: 0, credentials: await lab.issue(id) });
  const stack = new AsyncDisposableStack();
  const peering = stack.use(await start("node-a"));
  const nodes: NodeView[] = [view("node-a", peering.port, { self: true })];
  for (const [name, has] of [["node-b", b] as const, ["node-c", c] as const]) {
    const other = stack.use(await start(name));
    nodes.push(view(name, other.port, has === undefined ? { state: "gone" } : {}));
    if (has === undefined) continue;
    const operations = toOperations(has);
    answerNodes({
      peers: other,
      operations,
      actHere: async () => undefined,
      nodes: () => nodes,
      clock,
    });
  }
  const peers = {
    peering,
    problem: "",
    answer: () => undefined,
    onKey: () => undefined,
    run: async () => undefined,
  };
  const operations = spreadOperations({
    local: toOperations(own),
    actHere: async () => undefined,
    others: createOtherNodes(peers, { list: () => nodes }),
    desk: { wanted: () => undefined, hold: () => ({ [Symbol.dispose]: () => undefined }) },
    self: "node-a",
    clock,
  });
  return { operations, nodes, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const caller = (signal = new AbortController().signal) => ({ actor: "a test", signal });

const unknown = (): never => {
  throw new FairleadError(controlErrors["no-such-object"], "there is no such thing");
};

function decided(...ids: readonly string[]): Some {
  const items = ids.map(decide);
  return {
    decisions: async () => ({ asOfMs: 1, missing: [], items }),
    decision: async (id) => items.find((one) => one.id === id) ?? unknown(),
  };
}

test("decisions of all nodes come newest first, each with its node, and who is gone is said", async () => {
  await using fleet = await openFleet(decided("dec_1", "dec_3"), decided("dec_2"), undefined);
  const { items, missing } = await fleet.operations.decisions({ limit: 2 }, caller());
  assert.deepEqual(
    items.map(({ id, node }) => `${id} ${node}`),
    ["dec_3 node-a", "dec_2 node-b"],
  );
  assert.deepEqual(missing, ["node-c (it is gone)"]);
  const only = await fleet.operations.decisions({ limit: 9, node: "node-b" }, caller());
  assert.deepEqual(
    only.items.map(({ id }) => id),
    ["dec_2"],
  );
  await assert.rejects(
    fleet.operations.decisions({ limit: 9, node: "node-x" }, caller()),
    (thrown) => isKind(thrown, controlErrors["no-such-object"]),
  );
});

test("one decision is found on the node that has it", async () => {
  await using fleet = await openFleet(decided(), decided(), decided("dec_2"));
  assert.equal((await fleet.operations.decision("dec_2", caller())).node, "node-c");
  await assert.rejects(fleet.operations.decision("dec_9", caller()), (thrown) =>
    isKind(thrown, controlErrors["no-such-object"]),
  );
});

async function* list(...entries: readonly LogEntry[]): AsyncGenerator<LogEntry> {
  yield* entries;
}

test("logs of all nodes are one log by time; a node without the scope has no part in it", async () => {
  await using fleet = await openFleet(
    { logs: () => list(line("a", 2), line("a", 4)) },
    { logs: () => list(line("b", 1), line("b", 3)) },
    { logs: unknown },
  );
  const got = await Array.fromAsync(fleet.operations.logs(REQUEST, caller()));
  assert.deepEqual(
    got.map(({ instance, atMs, node }) => `${instance}${atMs} ${node}`),
    ["b1 node-b", "a2 node-a", "b3 node-b", "a4 node-a"],
  );
});

test("a node that does not answer has a line in the log that says so", async () => {
  await using fleet = await openFleet({ logs: () => list() }, { logs: () => list() }, undefined);
  const [only] = await Array.fromAsync(fleet.operations.logs(REQUEST, caller()));
  assert.equal(only?.instance, "node-c");
  assert.match(only?.text ?? "", /cannot read what node-c has: it is gone/);
});

test("a followed log goes on after a cut without a line lost or doubled", async () => {
  const ended = new AbortController();
  let readings = 0;
  const all = [
    line("b", 1, "one"),
    line("b", 1, "one"),
    line("b", 2, "two"),
    line("b", 3, "three"),
  ];
  const asked: LogRequest[] = [];
  const texts: string[] = [];
  let taken = Promise.withResolvers<void>();
  await using fleet = await openFleet(
    {
      // eslint-disable-next-line require-yield -- it has nothing to say and stays open
      async *logs(_, { signal }) {
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      },
    },
    {
      async *logs(request) {
        asked.push(request);
        const count = ++readings + 1;
        yield* all.slice(0, count);
        while (texts.length < count && !ended.signal.aborted) await taken.promise;
        throw new Error("cut");
      },
    },
    { logs: unknown },
  );
  for await (const { text } of fleet.operations.logs(
    { ...REQUEST, follow: true },
    caller(ended.signal),
  )) {
    if (!text.startsWith("(")) texts.push(text);
    if (text === "three") ended.abort();
    taken.resolve();
    taken = Promise.withResolvers();
  }
  assert.deepEqual(texts, ["one", "one", "two", "three"]);
  assert.equal(asked[0]?.tail, 100);
  assert.equal(asked[1]?.sinceMs, 1 - 5_000);
});

test("events of other nodes come with their node; how services stand is told once", async () => {
  const ended = new AbortController();
  const service = { kind: "lagged", atMs: 7 } as const;
  async function* pass(...ids: readonly string[]): ReturnType<Operations["events"]> {
    for (const id of ids)
      yield { id, event: { kind: "decision", atMs: 1, decision: decide(id) } } as const;
    yield { id: "s", event: service };
    await new Promise((resolve) => ended.signal.addEventListener("abort", resolve, { once: true }));
  }
  await using fleet = await openFleet(
    { events: () => pass("dec_1") },
    { events: () => pass("dec_2") },
    undefined,
  );
  const got: string[] = [];
  for await (const { event } of fleet.operations.events({}, caller(ended.signal))) {
    if (event.kind === "decision") got.push(`${event.decision.id} ${event.decision.node ?? "-"}`);
    if (got.length === 2) ended.abort();
  }
  assert.deepEqual(got.sort(), ["dec_1 -", "dec_2 node-b"]);
});

test("going on after an event says that events of other nodes may have been lost", async () => {
  const ended = new AbortController();
  await using fleet = await openFleet({ events: async function* () {} }, {}, undefined);
  for await (const { event } of fleet.operations.events(
    { afterId: "ep-1" },
    caller(ended.signal),
  )) {
    assert.equal(event.kind, "lagged");
    ended.abort();
  }
});

test("usage of all nodes is one list, and waits for none for ever", async () => {
  const use = (instance: string, cpuPercent: number) => ({
    scope: "shop",
    service: "web",
    instance,
    cpuPercent,
    memoryBytes: 1,
    memoryLimitBytes: 1,
    networkReceivedBytes: 0,
    networkSentBytes: 0,
    blockReadBytes: 0,
    blockWrittenBytes: 0,
    pids: 1,
  });
  await using fleet = await openFleet(
    {
      async *usage() {
        yield { items: [use("web-1", 1)] };
      },
    },
    {
      async *usage() {
        yield { items: [use("web-2", 2)] };
      },
    },
    undefined,
  );
  for await (const { items, missing } of fleet.operations.usage({}, caller())) {
    assert.deepEqual(
      items.map(({ instance, node }) => `${instance} ${node}`),
      ["web-2 node-b", "web-1 node-a"],
    );
    assert.deepEqual(missing, ["node-c (it is gone)"]);
    break;
  }
});

function saw(...ends: readonly (readonly [to: string, lastAtMs: number])[]): Some {
  const flows = ends.map(([address, lastAtMs]) => ({
    from: { address: "10.0.0.1" },
    to: { address },
    protocol: "tcp",
    port: 80,
    verdict: "allowed" as const,
    direction: "egress" as const,
    count: 1,
    firstAtMs: 1,
    lastAtMs,
  }));
  return {
    flows: async ({ denied }) => ({ asOfMs: 1, missing: [], items: denied === true ? [] : flows }),
    async *followFlows(_query, { signal }) {
      yield* flows;
      await clock.sleep(60_000, signal).catch(() => undefined);
    },
  };
}

test("flows of all nodes come with their node, the last first; of one node only when asked so", async () => {
  await using fleet = await openFleet(saw(["a", 1], ["b", 3]), saw(["c", 2]), undefined);
  const all = await fleet.operations.flows({}, caller());
  const draw = ({ to, node }: FlowView): string => `${to.address} ${node}`;
  assert.deepEqual(all.items.map(draw), ["b node-a", "c node-b", "a node-a"]);
  assert.deepEqual(all.missing, ["node-c (it is gone)"]);
  assert.deepEqual((await fleet.operations.flows({ denied: true }, caller())).items, []);
  const one = await fleet.operations.flows({ node: "node-b" }, caller());
  assert.deepEqual([one.items.map(draw), one.missing], [["c node-b"], []]);
  await assert.rejects(fleet.operations.flows({ node: "node-x" }, caller()), (thrown) =>
    isKind(thrown, controlErrors["no-such-object"]),
  );
  const ended = new AbortController();
  const followed: string[] = [];
  for await (const flow of fleet.operations.followFlows({}, caller(ended.signal)))
    if (followed.push(draw(flow)) === 3) break;
  assert.deepEqual(followed.toSorted(), ["a node-a", "b node-a", "c node-b"]);
});

test("certificates of a service are taken back by each node that gave some, and of a container by its own", async () => {
  const asked: string[] = [];
  const instances = ["node-a", "node-b"].map((node, index) => ({
    id: `id${index}`,
    name: `shop-web-${index + 1}`,
    service: "web",
    slot: index + 1,
    node,
  }));
  // Only what is looked at.
  const scope: object = { scope: "shop", services: [{ scope: "shop", name: "web", instances }] };
  const items = [scope as ScopeView];
  const revokes = (node: string): Some => ({
    scopes: async () => ({ asOfMs: 1, missing: [], items }),
    async revokeIdentity(object, { scope = "", reason = "" }, { actor }) {
      asked.push([node, object, scope, reason, actor].join(" "));
      return [
        {
          kind: "instance",
          uri: "spiffe://f/shop/web",
          state: "revoked",
          serial: node,
          notAfterMs: 1,
        },
      ];
    },
  });
  await using fleet = await openFleet(revokes("a"), revokes("b"), revokes("c"));
  const serials = async (object: string): Promise<readonly string[]> => {
    const how = { reason: "lost" };
    const all = await fleet.operations.revokeIdentity(object, how, caller());
    return all.map(({ serial, node }) => `${serial} ${node}`);
  };
  assert.deepEqual(await serials("web"), ["a node-a", "b node-b"]);
  assert.deepEqual(await serials("shop-web-2"), ["b node-b"]);
  assert.deepEqual(asked, [
    "b service/web shop lost a test on node-a",
    "a web  lost a test",
    "b instance/shop-web-2 shop lost a test on node-a",
  ]);
});
