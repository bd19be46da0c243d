// SPDX-License-Identifier: Apache-2.0
// The recipes of ahmetb/kubernetes-network-policy-recipes as a truth table.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compileCluster } from "./testing/decide.ts";
import { isAllowed, type Pod } from "./testing/oracle.ts";
import { readRecipes, type Recipe } from "./testing/recipes.ts";

const recipes = readRecipes();

const OUTSIDE: Pod = { labels: {}, address: "203.0.113.9", ports: [] };

function placePods(recipe: Recipe): ReadonlyMap<string, Pod> {
  const entries = Object.entries(recipe.pods).map(([name, pod], index) => {
    const [namespace = ""] = name.split("/");
    return [name, { ...pod, namespace, address: `10.0.0.${index + 1}` }] as const;
  });
  return new Map<string, Pod>([...entries, ["EXT", OUTSIDE]]);
}

describe("the recipes for network policies", () => {
  for (const recipe of recipes) {
    test(`${recipe.id}: ${recipe.title}`, () => {
      const pods = placePods(recipe);
      const compiled = compileCluster(
        recipe,
        [...pods.values()].filter(({ namespace }) => namespace),
      );
      for (const { expect, ...probe } of recipe.probes) {
        const [from, to] = [pods.get(probe.from), pods.get(probe.to)];
        assert.ok(from !== undefined && to !== undefined, JSON.stringify(probe));
        const flow = { from, to, protocol: probe.protocol, port: probe.port };
        assert.equal(compiled.decide(flow) ? "allow" : "deny", expect, JSON.stringify(probe));
        assert.equal(isAllowed(recipe, flow) ? "allow" : "deny", expect, "the oracle");
      }
    });
  }

  test("are all there", () => {
    assert.equal(
      recipes.reduce((sum, { probes }) => sum + probes.length, 0),
      77,
    );
  });
});
