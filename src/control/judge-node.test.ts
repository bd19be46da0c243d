// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Member, MemberState } from "#membership/membership.ts";
import { judgeNode } from "./judge-node.ts";

const see = (state: MemberState, direct = true): Member => ({
  id: "b",
  incarnation: 1,
  state,
  silentMs: 6_040,
  direct,
  rttMs: undefined,
  skewMs: undefined,
});

for (const [what, member, lease, isolated, state, reason] of [
  ["heard", see("alive"), true, false, "alive", ""],
  ["heard without a lease", see("alive"), false, false, "alive", ""],
  [
    "heard by others",
    see("alive", false),
    true,
    false,
    "alive",
    "heard by others, not by this node",
  ],
  ["silent on both ways", see("gone"), false, false, "gone", "silent for 6s"],
  [
    "datagrams are dropped",
    see("gone"),
    true,
    false,
    "suspect",
    "silent for 6s, but its lease in the store lives",
  ],
  ["no store, others are heard", see("gone"), undefined, false, "gone", "silent for 6s"],
  [
    "no store and nobody is heard",
    see("gone"),
    undefined,
    true,
    "suspect",
    "silent for 6s, but this node hears nobody and no store",
  ],
  ["isolated, and the store says so too", see("gone"), false, true, "gone", "silent for 6s"],
  ["suspected", see("suspect"), true, false, "suspect", "silent for 6s"],
  ["left", see("left"), true, false, "left", "said that it leaves"],
  ["never asked", undefined, true, false, "suspect", "has not been asked yet"],
  ["never here", undefined, false, false, "gone", "was not here since this node started"],
] as const)
  test(`${what}: ${state}`, () => {
    assert.deepEqual(judgeNode(member, { lease, isolated }), { state, reason });
  });
