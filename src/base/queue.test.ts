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

test("put() waits for room, keeps the order of each writer, and gives up once closed", async () => {
  const queue = createAsyncQueue<string>(2);
  const write = async (name: string): Promise<void> => {
    for (let at = 0; at < 100; at++) assert.ok(await queue.put(`${name}${at}`));
  };
  const writers = Promise.all([write("a"), write("b")]);
  const read: string[] = [];
  for await (const item of queue) {
    assert.ok(queue.size <= 2);
    read.push(item);
    if (read.length === 200) break;
  }
  await writers;
  for (const name of ["a", "b"])
    assert.deepEqual(
      read.filter((item) => item.startsWith(name)),
      Array.from({ length: 100 }, (_, at) => `${name}${at}`),
    );
  queue.push("x");
  queue.push("y");
  const late = queue.put("z");
  queue.close();
  assert.equal(await late, false);
});
