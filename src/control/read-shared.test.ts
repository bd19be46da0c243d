// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Assignment, Offer } from "@fairlead/protocol/assignment.ts";
import { z } from "zod";
import { readShared } from "./read-shared.ts";

describe("readShared()", () => {
  const placed: Assignment = {
    generation: 5,
    fence: 1,
    services: { web: [{ slot: 1, node: "a" }] },
    missing: [],
  };

  test("leaves out what a newer version says besides, at every depth, and the value as it was", () => {
    const told = {
      ...placed,
      mood: "calm",
      services: { web: [{ slot: 1, node: "a", warmth: 3 }] },
    };
    const before = structuredClone(told);
    assert.deepEqual(readShared(Assignment, told), placed);
    assert.deepEqual(told, before);
    assert.deepEqual(readShared(Assignment, placed), placed);
  });

  test("reads nothing where more is wrong than that", () => {
    assert.equal(readShared(Assignment, { ...placed, fence: "one", mood: "calm" }), undefined);
    assert.equal(readShared(Offer, { mood: "calm" }), undefined);
    assert.equal(readShared(z.strictObject({}), undefined), undefined);
  });
});
