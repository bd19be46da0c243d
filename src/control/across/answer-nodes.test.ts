// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Operations } from "#control/operations.ts";
import type { Peers } from "#control/peers.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { answerNodes } from "./answer-nodes.ts";

type Handler = Parameters<Peers["answer"]>[1];

test("an answer that is slow to come says every five seconds that more may come, and ends when nobody asks any more", async () => {
  const clock = createManualClock();
  const asking = new AbortController();
  const alerts = Promise.withResolvers<{ items: unknown[] }>();
  async function* follow(): AsyncGenerator<unknown> {
    yield await alerts.promise;
    await Promise.withResolvers<void>().promise;
  }
  const operations = { usage: () => follow() } as Partial<Operations> as Operations;
  const handlers: Handler[] = [];
  answerNodes({
    peers: { answer: (_path, handler) => void handlers.push(handler) },
    operations,
    actHere: () => Promise.resolve(undefined),
    nodes: () => [],
    clock,
  });
  const query = new URLSearchParams({ question: JSON.stringify({ ask: "usage" }) });
  const { signal } = asking;
  const asked = { from: "b", query, signal } as Parameters<Handler>[0];
  const answer = await handlers[0]?.(asked);
  assert.ok(answer?.kind === "stream");
  const chunks = answer.chunks[Symbol.asyncIterator]();
  const read = async (): Promise<string | undefined> => {
    const chunk = await chunks.next();
    return chunk.done === true ? undefined : Buffer.from(chunk.value).toString();
  };
  const afterMs = async (ms: number, next: Promise<string | undefined>) => {
    await clock.advance(ms);
    return next;
  };
  assert.equal(await afterMs(5_000, read()), "\n");
  assert.equal(await afterMs(5_000, read()), "\n");
  const line = read();
  alerts.resolve({ items: [1] });
  assert.equal(await line, '{"items":[1]}\n');
  assert.equal(await afterMs(5_000, read()), "\n");
  assert.equal(clock.sleeping, 0, "nothing waits for what has come");
  const last = read();
  asking.abort();
  assert.equal(await afterMs(5_000, last), "\n");
  assert.equal(await read(), undefined);
});
