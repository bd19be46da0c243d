// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { renderSteps, renderWhole, type Table } from "./render-table.ts";

/** What stands, as the kernel keeps it. */
class Kernel {
  readonly holders = new Map<string, Map<string, string>>();
  readonly chains = new Map<string, string[]>();

  apply(commands: readonly string[]): void {
    for (const command of commands) this.#do(command);
  }

  #do(command: string): void {
    const [verb = "", what = "", , , name = "", ...rest] = command.split(" ");
    const text = rest.join(" ").replace(/^\{ | \}$/g, "");
    const place = `${verb} ${what}`;
    if (/^add (?:table|counter)/.test(place)) return;
    if (/^add (?:set|map)/.test(place)) this.holders.set(name, this.holders.get(name) ?? new Map());
    else if (/^flush (?:set|map)/.test(place)) this.#holder(name).clear();
    else if (place === "add element") for (const one of text.split(", ")) this.#add(name, one);
    else if (place === "delete element")
      for (const key of text.split(", ")) assert.ok(this.#holder(name).delete(key), command);
    else if (/^delete (?:set|map)/.test(place)) assert.ok(this.holders.delete(name), command);
    else if (place === "add chain") this.chains.set(name, this.chains.get(name) ?? []);
    else if (place === "add rule") this.#chain(name).push(text);
    else if (place === "flush chain") this.chains.set(name, []);
    else if (place === "delete chain") assert.ok(this.chains.delete(name), command);
    else if (place === "flush table")
      for (const key of this.chains.keys()) this.chains.set(key, []);
    else assert.fail(`nft does not know ${command}`);
  }

  #holder(name: string): Map<string, string> {
    const found = this.holders.get(name);
    assert.ok(found !== undefined, `no ${name}`);
    return found;
  }

  #chain(name: string): string[] {
    const found = this.chains.get(name);
    assert.ok(found !== undefined, `no ${name}`);
    return found;
  }

  /** The kernel refuses a key that leads elsewhere already. */
  #add(name: string, element: string): void {
    const [key = "", value = ""] = element.split(" : ");
    const before = this.#holder(name).get(key);
    assert.ok(before === undefined || before === value, `${key} leads elsewhere`);
    this.#holder(name).set(key, value);
  }
}

function stand(...steps: readonly (readonly string[])[]): Kernel {
  const kernel = new Kernel();
  for (const commands of steps) kernel.apply(commands);
  return kernel;
}

const aTable = fc
  .record({
    ports: fc.uniqueArray(fc.constantFrom("a", "b", "c", "d")),
    goals: fc.dictionary(fc.constantFrom("a", "b", "c"), fc.constantFrom("k1", "k2")),
    kinds: fc.uniqueArray(fc.constantFrom("k1", "k2", "k3")),
    rule: fc.constantFrom("accept", "accept", "drop"),
  })
  .map(({ ports, goals, kinds, rule }): Table => ({
    id: "bridge t",
    counters: ["held"],
    holders: [
      { kind: "set", name: "ports", type: "type ifname;", elements: ports },
      {
        kind: "map",
        name: "doors",
        type: "type ifname : verdict;",
        elements: Object.entries(goals).map(([port, kind]) => `${port} : goto ${kind}`),
      },
      { kind: "set", name: "memory", type: "type ifname; flags timeout;" },
      ...kinds.map((name) => ({
        kind: "set" as const,
        name: `s${name}`,
        type: "x",
        elements: ["1"],
      })),
    ],
    chains: [
      { name: "forward", hook: "type filter hook forward", rules: ["iifname @ports", rule] },
      ...kinds.map((name) => ({ name, rules: [`@s${name} accept`, "drop"] })),
    ],
  }));

test("steps lead to what the whole makes, and nothing is taken away before what is new stands", () => {
  let stepped = 0;
  fc.assert(
    fc.property(aTable, aTable, (before, after) => {
      const steps = renderSteps(before, after);
      const isSameHook = before.chains[0]?.rules.join() === after.chains[0]?.rules.join();
      assert.equal(steps !== undefined, isSameHook);
      if (steps === undefined) return;
      stepped++;
      const made = stand(renderWhole(before), steps.news, steps.gone);
      const wanted = stand(renderWhole(after));
      assert.deepEqual(made.holders, wanted.holders);
      assert.deepEqual(made.chains, wanted.chains);
      const between = stand(renderWhole(before), steps.news);
      for (const [name, held] of wanted.holders)
        for (const [key, value] of held) assert.equal(between.holders.get(name)?.get(key), value);
    }),
  );
  assert.ok(stepped > 10);
});

test("what others fill is never emptied, and a set of another type is made anew", () => {
  const table = (type: string): Table => ({
    id: "bridge t",
    counters: [],
    holders: [{ kind: "set", name: "memory", type }],
    chains: [],
  });
  assert.deepEqual(renderSteps(table("a"), table("a")), { news: [], gone: [] });
  assert.ok(!renderWhole(table("a")).some((command) => command.startsWith("flush set")));
  assert.equal(renderSteps(table("a"), table("b")), undefined);
});
