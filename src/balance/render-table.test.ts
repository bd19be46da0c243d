// SPDX-License-Identifier: Apache-2.0
// Whatever stood before, the changes make exactly what the whole table would be, in an order that the kernel takes.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BalanceSpace } from "./balancer.ts";
import { chooseAddress } from "./choose-address.ts";
import { chooseSticky, planTable, type BalanceTable } from "./plan-table.ts";
import { renderChanges, renderTable } from "./render-table.ts";

const RANGES = ["198.18.0.0/16", "fd66:6c73::/64"];

/** A table as the kernel would keep it: rules by chain, chains by address. */
interface Kernel {
  readonly chains: Map<string, string[]>;
  readonly elements: Map<string, string>;
}

/** Carries commands out as the kernel does; throws where that would refuse. */
function run(kernel: Kernel, commands: readonly string[]): Kernel {
  const { chains, elements } = kernel;
  const need = (chain: string): string[] => {
    const rules = chains.get(chain);
    assert.ok(rules !== undefined, `there is no chain ${chain}`);
    return rules;
  };
  for (const command of commands) {
    const [verb, what, , , name = "", ...rest] = command.split(" ");
    if (what === "table" && verb === "delete") [chains, elements].forEach((map) => map.clear());
    if (what === "chain" && verb === "add") chains.set(name, chains.get(name) ?? []);
    if (what === "chain" && verb === "flush") need(name).length = 0;
    if (what === "rule") need(name).push(rest.join(" "));
    if (what === "chain" && verb === "delete") {
      assert.deepEqual(need(name), []);
      assert.ok(![...elements.values()].includes(name), `${name} is still gone to`);
      chains.delete(name);
    }
    if (what !== "element") continue;
    for (const element of rest.join(" ").slice(2, -2).split(", ")) {
      const [address = "", , , chain = ""] = element.split(" ");
      const key = `${name} ${address}`;
      assert.equal(elements.has(key), verb === "delete", command);
      if (verb === "delete") elements.delete(key);
      else {
        need(chain);
        elements.set(key, chain);
      }
    }
  }
  return kernel;
}

const make = (commands: readonly string[]): Kernel =>
  run({ chains: new Map(), elements: new Map() }, commands);

/** Numbers from 0 to 1, the same for the same seed. */
function createDice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function rollTable(dice: () => number): BalanceTable {
  const services = Array.from({ length: 8 }, (_, i) => i)
    .filter(() => dice() < 0.6)
    .map((i) => {
      const four = `198.18.0.${i * 2 + (dice() < 0.8 ? 1 : 2)}`;
      const addresses = dice() < 0.5 ? [four] : [four, `fd66:6c73::${i + 1}`];
      const targets = Array.from({ length: 4 }, (_ignored, n) => ({
        id: `i${n}`,
        addresses: dice() < 0.7 ? [`10.0.0.${n + 1}`] : [`10.0.0.${n + 1}`, `fd00::${n + 1}`],
      })).filter(() => dice() < 0.5);
      return { key: `shop/s${i}`, addresses, targets, sticky: dice() < 0.2 };
    });
  const space: BalanceSpace = { id: "c", pid: 1, own: ["10.0.0.9"], services };
  return planTable(space, RANGES);
}

describe("renderChanges()", () => {
  it("makes what the whole table would be, out of any other", () => {
    const dice = createDice(7);
    for (let i = 0; i < 400; i++) {
      const [before, after] = [rollTable(dice), rollTable(dice)];
      const changed = run(make(renderTable(before)), renderChanges(before, after));
      const whole = make(renderTable(after));
      assert.deepEqual(changed, whole, JSON.stringify({ before, after }));
    }
  });

  it("says nothing when nothing differs, and touches one service where one does", () => {
    const table = rollTable(createDice(3));
    assert.deepEqual(renderChanges(table, structuredClone(table)), []);
    const [first, ...rest] = table.services;
    assert.ok(first !== undefined);
    const changed = { ...table, services: [{ ...first, targets4: ["10.0.0.77"] }, ...rest] };
    for (const command of renderChanges(table, changed))
      assert.match(command, new RegExp(`s-shop_2f${first.key.slice(5)} ?`));
  });
});

describe("chooseSticky()", () => {
  it("moves only the callers of the one that goes, and shares callers evenly", () => {
    const targets = Array.from({ length: 5 }, (_, i) => ({ id: `i${i}`, addresses: [] }));
    const counts = new Map<string, number>();
    for (let caller = 0; caller < 5_000; caller++) {
      const name = `10.0.${caller >> 8}.${caller & 255}`;
      const chosen = chooseSticky(name, targets)?.id ?? "";
      counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
      const left = targets.filter(({ id }) => id !== "i2");
      if (chosen !== "i2") assert.equal(chooseSticky(name, left)?.id, chosen);
    }
    for (const count of counts.values()) assert.ok(count > 800 && count < 1_200, String(count));
    assert.equal(chooseSticky("a", []), undefined);
  });
});

describe("chooseAddress()", () => {
  it("fills a block to its end with different addresses, and says when none is left", () => {
    const taken = new Set<string>();
    for (let i = 0; i < 14; i++) {
      const address = chooseAddress("10.1.0.0/28", `shop/s${i}`, (one) => taken.has(one));
      assert.ok(address !== undefined && !taken.has(address));
      taken.add(address);
    }
    assert.equal(taken.has("10.1.0.0") || taken.has("10.1.0.15"), false);
    assert.equal(
      chooseAddress("10.1.0.0/28", "shop/x", (one) => taken.has(one)),
      undefined,
    );
    const again = (): string | undefined => chooseAddress("198.18.0.0/16", "shop/web", () => false);
    assert.equal(again(), again());
  });
});
