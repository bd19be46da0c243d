// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createAsyncQueue, type AsyncQueue } from "./queue.ts";

async function readAll<T>(queue: AsyncQueue<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of queue) items.push(item);
  return items;
}

describe("createAsyncQueue()", () => {
  test("gives what was pushed, in order, and ends once closed and read", async () => {
    const queue = createAsyncQueue<number>(10);
    const read = readAll(queue);
    queue.push(1);
    await Promise.resolve();
    queue.push(2);
    queue.push(3);
    queue.close();
    assert.deepEqual(await read, [1, 2, 3]);
  });

  test("refuses what goes beyond its size, and everything once closed", () => {
    const queue = createAsyncQueue<number>(2);
    assert.deepEqual([queue.push(1), queue.push(2), queue.push(3)], [true, true, false]);
    assert.equal(queue.size, 2);
    queue.close();
    assert.equal(createAsyncQueue<number>(0).push(1), false);
    assert.equal(queue.push(4), false);
  });

  test("throws the error it was closed with, after what was queued", async () => {
    const queue = createAsyncQueue<number>(10);
    queue.push(1);
    queue.close(new Error("lost"));
    const items: number[] = [];
    await assert.rejects(async () => {
      for await (const item of queue) items.push(item);
    }, /lost/);
    assert.deepEqual(items, [1]);
  });

  test("ends when its signal aborts, also when that was before", async () => {
    const controller = new AbortController();
    const queue = createAsyncQueue<number>(10, controller.signal);
    const read = readAll(queue);
    controller.abort();
    assert.deepEqual(await read, []);
    assert.deepEqual(await readAll(createAsyncQueue<number>(10, controller.signal)), []);
  });
});
