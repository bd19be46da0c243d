// SPDX-License-Identifier: Apache-2.0
// Rules about changes under load: a packet meets the rules before a change or those after it.
import assert from "node:assert/strict";
import type { DirectionTable } from "#policy/verdict-table.ts";
import { askOften } from "./ask-often.ts";
import type { End } from "./ground.ts";
import { toWard, type Rule } from "./rule.ts";

const RULES = 500;
/** So long it is changed. */
const USUAL_MS = 2_000;
const CHANGES_MIN = 4;
const [FIRST, SECOND, NEVER] = [9_001, 9_002, 9_003];

/**
 * Five hundred peers, each with a port of its own. `friend` has the class at `index`, with this port; whose class the other table
 * gives him may use another port here, so that half of one table and half of the other come to what neither says.
 */
function makeMany(friend: End, index: number, port: number): DirectionTable {
  const udp = (first: number) => ({ protocol: "UDP", first, last: first }) as const;
  const classes = Array.from({ length: RULES }, (_, one) => ({
    everything: false,
    ranges: [udp(one === index ? port : one < 2 ? NEVER : 10_000 + one)],
  }));
  const peers = classes.map((_, one) => [`10.9.${one >> 8}.${one & 255}`, one] as const);
  return { classes, hosts: new Map([...peers, [friend.v4, index]]), blocks: [] };
}

export const changeRules: Readonly<Record<string, Rule>> = {
  "a change of 500 rules is met whole by each of thousands of conversations a second": async ({
    guard,
    web,
    friend,
  }) => {
    const changingMs = Number(process.env["FAIRLEAD_CHANGES_MS"] ?? USUAL_MS);
    const wards = [makeMany(friend, 0, FIRST), makeMany(friend, 1, SECOND)].map((egress) =>
      toWard(web, { egress }),
    );
    const change = async (turn: number): Promise<void> => {
      const ward = wards[turn % wards.length];
      assert.ok(ward !== undefined);
      await guard.protect(ward);
    };
    await change(0);
    const asking = await askOften(web, friend.v4, { first: FIRST, second: SECOND, never: NEVER });
    const untilMs = performance.now() + changingMs;
    let changes = 0;
    while (performance.now() < untilMs || changes < CHANGES_MIN) await change(++changes);
    const { asked, seconds, turns, strange, state } = await asking.end();
    const told = `${asked} in ${seconds.toFixed(1)} s: ${turns} turns of ${changes}, ${strange} strange`;
    if (changingMs > USUAL_MS) console.log(told);
    assert.equal(strange, 0, told);
    assert.ok(turns > 0 && turns <= changes, told);
    assert.equal(state, (changes % 2) + 1);
  },
};
