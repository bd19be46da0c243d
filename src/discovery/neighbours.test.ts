// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { createNeighbours } from "./neighbours.ts";
import { buildRecord } from "./testing/build-record.ts";

const agent = buildRecord("a");
const up = { type: "up", agent } as const;
const expired = { type: "gone", agent, reason: "expired" } as const;
const left = { type: "gone", agent, reason: "left" } as const;

test("one that falls silent is offline, and back when it is heard again", () => {
  const neighbours = createNeighbours();
  assert.equal(neighbours.take("multicast", up, 0), "came");
  assert.equal(neighbours.take("multicast", expired, 500), "offline");
  assert.deepEqual(neighbours.list(), [
    { record: agent, source: "multicast", offlineSinceMs: 500 },
  ]);
  assert.equal(neighbours.take("multicast", up, 600), "back");
  assert.deepEqual(neighbours.list(), [{ record: agent, source: "multicast" }]);
});

test("one that two ways know is there until both have lost it", () => {
  const neighbours = createNeighbours();
  neighbours.take("multicast", up, 0);
  assert.equal(neighbours.take("seeds", up, 0), undefined);
  assert.equal(neighbours.take("multicast", expired, 1), undefined);
  assert.equal(neighbours.list()[0]?.source, "seeds");
  assert.equal(neighbours.take("seeds", expired, 2), "offline");
});

test("a farewell by one way counts for all", () => {
  const neighbours = createNeighbours();
  neighbours.take("multicast", up, 0);
  neighbours.take("seeds", up, 0);
  assert.equal(neighbours.take("multicast", left, 1), "left");
  assert.deepEqual(neighbours.list(), []);
});

test("who is not there when a watch begins anew has left meanwhile", () => {
  const neighbours = createNeighbours();
  neighbours.take("registry", up, 0);
  neighbours.keepOnly("registry", new Set(["other"]));
  assert.deepEqual(neighbours.list(), []);
});

test("the offline are forgotten after ten minutes, and the oldest when they are many", () => {
  const neighbours = createNeighbours();
  for (let index = 0; index < 1_001; index++) {
    const other = { ...agent, id: `id-${index}` };
    neighbours.take("multicast", { type: "up", agent: other }, 0);
    neighbours.take("multicast", { type: "gone", agent: other, reason: "expired" }, index);
  }
  neighbours.sweep(1_001);
  assert.equal(neighbours.list().length, 1_000);
  assert.equal(neighbours.list()[0]?.record.id, "id-1");
  neighbours.sweep(700_000);
  assert.equal(neighbours.list().length, 0);
});
