// SPDX-License-Identifier: Apache-2.0
// Chains that find an address, asked as the kernel would go through them, and how many they are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAddress } from "#base/addresses.ts";
import type { AddressRange, DirectionTable } from "#policy/verdict-table.ts";
import { HOOKS, PREFIX } from "./names.ts";
import { readRules } from "./read-rules.ts";
import type { Standing } from "./read-table.ts";
import { renderRules, type Chains } from "./render-rules.ts";

const FIRST = 0x0a00_0000n;
/** Each range has eight addresses, and eight that are nobody's come after it. */
const STEP = 16n;

function makeTable(count: number): DirectionTable {
  const blocks = Array.from({ length: count }, (_, index): AddressRange => {
    const first = FIRST + BigInt(index) * STEP;
    return { family: 4, first, last: first + 7n, class: 0 };
  });
  return { classes: [{ everything: true, ranges: [] }], hosts: new Map(), blocks };
}

function render(count: number): Chains {
  const table = { ingress: makeTable(count), egress: undefined };
  return renderRules({ id: "one", pid: 1, mode: "enforce", table }, 4);
}

/** Chains as if they stood. */
function stand(chains: Chains): Standing {
  const hooks = HOOKS.map((hook) => [hook, [`-j ${PREFIX}${hook}`]] as const);
  const all: readonly (readonly [string, readonly string[]])[] = [...hooks, ...chains];
  return {
    chains: new Map(
      all.map(([name, rules]) => [name, rules.map((text) => ({ text, packets: 0 }))]),
    ),
  };
}

test("every range is found, and nothing between two of them", () => {
  for (const count of [0, 1, 2, 7, 8, 9, 63, 64, 65, 511, 512, 513]) {
    const standing = stand(render(count));
    const none = { denied: { ingress: 0, egress: 0 }, passed: 0 };
    const rules = readRules({ 4: standing, 6: standing }, none);
    const asks = (at: bigint): boolean => {
      const question = { direction: "ingress", protocol: "TCP", port: 80 } as const;
      return rules?.allows({ ...question, address: formatAddress(4, at) }) === true;
    };
    for (let index = 0n; index < BigInt(count); index += 1n) {
      const first = FIRST + index * STEP;
      const found = [first - 1n, first, first + 7n, first + 8n].map(asks);
      assert.deepEqual(found, [false, true, true, false], `range ${index} of ${count}`);
    }
    assert.equal(asks(FIRST + BigInt(count) * STEP), false);
  }
});

test("chains are full, as programs take a time that grows with the square of their number", () => {
  // Two trees, for who calls and for what comes back.
  assert.ok(render(10_000).size < 2 * (10_000 / 7) + 20, String(render(10_000).size));
});
