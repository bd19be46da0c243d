// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Parser } from "@fairlead/fabric/json.ts";
import { AgentRecord } from "@fairlead/protocol/agent.ts";
import { JoinAnswer, Routes } from "@fairlead/protocol/fabric.ts";
import { recordOf } from "@fairlead/protocol/testing/record-of.ts";
import { JOIN_ANSWER, RECORD, ROUTES } from "./node-answers.ts";

const record = recordOf("planner", { addresses: ["10.0.0.5:7000"], skills: ["planning"] });
const answer = { node: { id: "n", name: "n" }, scope: "lab", key: "k" };
const routes = { to: ["a"], from: [], via: {}, members: ["a"], hopsMax: 8 };

const CASES: readonly (readonly [string, Parser<unknown>, Parser<unknown>, object])[] = [
  ["a record", RECORD, AgentRecord, record],
  ["the answer to joining", JOIN_ANSWER, JoinAnswer, answer],
  ["routes", ROUTES, Routes, routes],
];

for (const [what, parser, schema, good] of CASES) {
  test(`${what} is read as the protocol's schema reads it`, () => {
    assert.ok(schema.safeParse(good).success);
    assert.deepEqual(parser.safeParse(good), { success: true, data: good });
  });

  test(`${what} with a member missing, or of another kind, is refused as by the schema`, () => {
    for (const name of Object.keys(good)) {
      for (const wrong of [undefined, null, 7n]) {
        const bad = { ...good, [name]: wrong };
        assert.ok(!schema.safeParse(bad).success, name);
        assert.ok(!parser.safeParse(bad).success, name);
      }
    }
  });

  test(`${what} that says more is read, as a newer node may`, () => {
    assert.ok(parser.safeParse({ ...good, later: 1 }).success);
  });

  test(`${what} is no text, list or nothing`, () => {
    for (const bad of ["", [], null, undefined]) assert.ok(!parser.safeParse(bad).success);
  });
}
