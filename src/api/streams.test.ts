// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type ClientRequest, type IncomingMessage } from "node:http";
import { describe, it } from "node:test";
import { EventLine, LogLine, UsageReading } from "@fairlead/protocol/routes.ts";
import { NodeEvent, Problem } from "@fairlead/protocol/views.ts";
import { createDecision } from "./testing/fake-data.ts";
import { startApi, type TestApi } from "./testing/start-api.ts";

interface Sse {
  readonly id: string | undefined;
  readonly name: string | undefined;
  readonly data: unknown;
}

interface Reading extends Disposable {
  readonly response: IncomingMessage;
  readonly request: ClientRequest;
  /** The next message that is not a sign of life; undefined at the end. */
  next(): Promise<Sse | undefined>;
}

function parseSse(block: string): Sse {
  const fields = new Map<string, string>();
  for (const line of block.split("\n")) {
    const at = line.indexOf(":");
    fields.set(line.slice(0, at), line.slice(at + 1).trimStart());
  }
  return {
    id: fields.get("id"),
    name: fields.get("event"),
    data: JSON.parse(fields.get("data") ?? "null"),
  };
}

async function* splitBlocks(response: IncomingMessage, mark: string): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of response) {
    const parts = (rest + String(chunk)).split(mark);
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

async function open(
  running: TestApi,
  path: string,
  headers: Record<string, string> = {},
): Promise<Reading> {
  const request = get({
    socketPath: running.socketPath,
    path,
    agent: false,
    headers: { accept: "text/event-stream", ...headers },
  });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  request.on("error", () => undefined);
  const blocks = splitBlocks(response, "\n\n");
  return {
    response,
    request,
    async next() {
      for (let block = await blocks.next(); block.done !== true; block = await blocks.next()) {
        const message = parseSse(block.value);
        if (message.name !== "beat") return message;
      }
      return undefined;
    },
    [Symbol.dispose]: () => void request.destroy(),
  };
}

function publish(running: TestApi, count: number, padding = ""): void {
  for (let i = 0; i < count; i++) {
    const decision = createDecision(`dec_${i}`, i, { result: `number ${i}${padding}` });
    running.fake.publish({ kind: "decision", atMs: i, decision });
  }
}

async function awaitUntil(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}

describe("events", () => {
  it("come as they happen, with ids, and resume after Last-Event-ID", async () => {
    await using running = await startApi();
    using reading = await open(running, "/v1/events");
    assert.equal(reading.response.headers["content-type"], "text/event-stream");
    await awaitUntil(() => running.fake.readers === 1);
    publish(running, 3);
    const first = await reading.next();
    assert.equal(first?.name, "event");
    assert.equal(NodeEvent.parse(first?.data).kind, "decision");
    reading[Symbol.dispose]();
    await awaitUntil(() => running.fake.readers === 0);
    publish(running, 1);
    using again = await open(running, "/v1/events", { "last-event-id": first?.id ?? "" });
    const ids = [await again.next(), await again.next(), await again.next()].map((one) => one?.id);
    assert.deepEqual(ids, ["2", "3", "4"]);
  });

  it("as JSON lines carry their id in the line", async () => {
    await using running = await startApi();
    publish(running, 2);
    const request = get({
      socketPath: running.socketPath,
      path: "/v1/events?after=1",
      agent: false,
    });
    request.on("error", () => undefined);
    const [response] = (await once(request, "response")) as [IncomingMessage];
    assert.equal(response.headers["content-type"], "application/x-ndjson");
    const line = await splitBlocks(response, "\n").next();
    assert.equal(EventLine.parse(JSON.parse(String(line.value))).id, "2");
    request.destroy();
  });

  it("say that they are alive while nothing happens", async () => {
    await using running = await startApi({ beatMs: 5 });
    using reading = await open(running, "/v1/events");
    const blocks = splitBlocks(reading.response, "\n\n");
    for (let i = 0; i < 3; i++) {
      assert.equal(parseSse(String((await blocks.next()).value)).name, "beat");
    }
  });

  it("a client that goes away ends its operation", async () => {
    await using running = await startApi();
    const reading = await open(running, "/v1/events");
    await awaitUntil(() => running.fake.readers === 1);
    assert.equal(running.api.streams, 1);
    reading[Symbol.dispose]();
    await awaitUntil(() => running.fake.readers === 0 && running.api.streams === 0);
  });

  it("a client that does not read is told `lagged` and closed, and costs no more than its limit", async () => {
    await using running = await startApi({ streamBytesMax: 20_000 });
    const request = get({
      socketPath: running.socketPath,
      path: "/v1/events",
      agent: false,
      headers: { accept: "text/event-stream" },
    });
    request.on("error", () => undefined);
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.pause();
    await awaitUntil(() => running.fake.readers === 1);
    // More than the buffers of the sockets between the two can hold.
    for (let i = 0; i < 40; i++) {
      publish(running, 50, "x".repeat(2_000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await awaitUntil(() => running.fake.readers === 0);
    let last: Sse | undefined;
    for await (const block of splitBlocks(response, "\n\n")) last = parseSse(block);
    assert.equal(NodeEvent.parse(last?.data).kind, "lagged");
    assert.equal(last?.id, "");
    await awaitUntil(() => running.api.streams === 0);
  });

  it("more streams than the limit are 429", async () => {
    await using running = await startApi({ streamsMax: 2 });
    using one = await open(running, "/v1/events");
    using two = await open(running, "/v1/logs?scope=shop&follow=1");
    assert.equal(one.response.statusCode, 200);
    assert.equal(two.response.statusCode, 200);
    const refused = await running.unix("/v1/events");
    assert.equal(refused.status, 429);
    assert.equal(Problem.parse(JSON.parse(refused.text)).id, "FL0517");
  });

  it("closing the API ends its streams", async () => {
    await using running = await startApi();
    using reading = await open(running, "/v1/events");
    const next = reading.next();
    await running.api[Symbol.asyncDispose]();
    assert.equal(await next, undefined);
    assert.equal(running.api.streams, 0);
  });
});

describe("logs and usage", () => {
  it("logs are JSON lines, of the names asked for, with their tail", async () => {
    await using running = await startApi();
    const reply = await running.unix("/v1/logs?scope=shop&name=web&name=shop-worker-2&tail=7");
    const lines = reply.text
      .trim()
      .split("\n")
      .map((line) => LogLine.parse(JSON.parse(line)));
    assert.equal(lines.length, 7);
    assert.deepEqual(running.fake.calls.at(-1)?.args, [
      { scope: "shop", names: ["web", "shop-worker-2"], follow: false, tail: 7 },
    ]);
  });

  it("followed logs go on with what is written later", async () => {
    await using running = await startApi();
    using reading = await open(running, "/v1/logs?scope=shop&tail=0&follow=1");
    const entry = {
      scope: "shop",
      service: "web",
      instance: "shop-web-1",
      stream: "stdout",
      atMs: 1,
      text: "<b>late</b>",
    } as const;
    running.fake.logs.push(entry);
    assert.deepEqual((await reading.next())?.data, entry);
  });

  it("logs of an unknown scope are 404, not an empty stream", async () => {
    await using running = await startApi();
    assert.equal((await running.unix("/v1/logs?scope=nowhere")).status, 404);
  });

  it("usage is a reading of every instance", async () => {
    await using running = await startApi();
    const reply = await running.unix("/v1/usage?scope=shop");
    assert.equal(UsageReading.parse(JSON.parse(reply.text)).items.length, 8);
  });
});
