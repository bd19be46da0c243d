// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { NetworkPolicy } from "#model/policy.ts";
import { compilePolicies, createPolicyCompiler } from "./compile-policies.ts";
import { parsePolicies } from "./parse-policies.ts";
import { EVERYTHING } from "./read-selector.ts";
import { arbitraryPolicy } from "./testing/arbitrary-policies.ts";
import type { PolicyInstance, PolicyWorld } from "./world.ts";

/** Random histories; in each the tables are compared after every change. */
const RUNS = Number(process.env["FAIRLEAD_POLICY_RUNS"] ?? 300);

const SCOPES = ["a", "b", "c"];
const KEYS = ["app", "tier"];
const VALUES = ["web", "db", ""];
const PLACES = 6;

const labels = fc.dictionary(fc.constantFrom(...KEYS), fc.constantFrom(...VALUES), {
  maxKeys: 2,
  noNullPrototype: true,
});

const manifest = arbitraryPolicy({
  scopes: SCOPES,
  keys: KEYS,
  values: VALUES,
  blocks: [
    { cidr: "10.0.0.0/8", except: ["10.0.0.2/31"] },
    { cidr: "0.0.0.0/0" },
    { cidr: "fd00::/8", except: ["fd00::4/126"] },
  ],
}).map((one) => {
  const text = JSON.stringify({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    ...one,
  });
  return parsePolicies(text, { file: "p.yaml", scope: "a" }).policies;
});

/** What only the short form by label can say. */
const byName = fc
  .record({ scope: fc.constantFrom(...SCOPES), port: fc.constantFrom("http", 443) })
  .map(({ scope, port }): readonly NetworkPolicy[] => {
    const at = { file: "p.yaml", line: 1 };
    const peers = [{ kind: "names" as const, names: ["a.example"] }];
    const egress = [{ peers, ports: [{ protocol: "TCP" as const, port }], at }];
    return [{ scope, name: "names", instances: EVERYTHING, egress, at }];
  });

const ports = fc.subarray([
  { name: "http", port: 80, protocol: "TCP" as const },
  { name: "http", port: 88, protocol: "TCP" as const },
]);

const instance = fc
  .record({
    id: fc.nat({ max: PLACES - 1 }).map((place) => `i${place}`),
    scope: fc.constantFrom(...SCOPES),
    labels,
    host: fc.integer({ min: 1, max: 9 }),
    isDouble: fc.boolean(),
    ports,
  })
  .map(({ host, isDouble, ...rest }): PolicyInstance => ({
    ...rest,
    name: rest.id,
    service: "",
    addresses: [`10.0.0.${host}`, ...(isDouble ? [`fd00::${host}`] : [])],
  }));

/** How the next turn differs. */
type Step =
  | { readonly kind: "nothing" }
  | { readonly kind: "instance"; readonly instance: PolicyInstance }
  | { readonly kind: "change"; readonly at: number; readonly to: Partial<PolicyInstance> }
  | { readonly kind: "gone"; readonly at: number }
  | { readonly kind: "policy"; readonly at: number; readonly policies: readonly NetworkPolicy[] }
  | { readonly kind: "scope"; readonly scope: string; readonly labels: Record<string, string> }
  | { readonly kind: "resolvers"; readonly resolvers: readonly string[] };

const at = fc.nat({ max: PLACES });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("nothing" as const) }),
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("instance" as const), instance }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("change" as const),
      at,
      to: fc.oneof(fc.record({ labels }), fc.record({ ports })),
    }),
  },
  fc.record({ kind: fc.constant("gone" as const), at }),
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("policy" as const),
      at,
      policies: fc.oneof({ weight: 4, arbitrary: manifest }, byName, fc.constant([])),
    }),
  },
  fc.record({ kind: fc.constant("scope" as const), scope: fc.constantFrom(...SCOPES), labels }),
  fc.record({
    kind: fc.constant("resolvers" as const),
    resolvers: fc.subarray(["10.0.0.53", "fd00::53"]),
  }),
);

interface State {
  /** By place, so that a change keeps the order of the others. */
  readonly policies: readonly (readonly NetworkPolicy[])[];
  readonly world: PolicyWorld;
}

function take({ policies, world }: State, change: Step): State {
  const { instances } = world;
  switch (change.kind) {
    case "nothing":
      return { policies, world };
    case "instance": {
      const others = instances.filter(({ id }) => id !== change.instance.id);
      return { policies, world: { ...world, instances: [...others, change.instance] } };
    }
    case "change": {
      const changed = instances.map((one, place) =>
        place === change.at ? { ...one, ...change.to } : one,
      );
      return { policies, world: { ...world, instances: changed } };
    }
    case "gone":
      return { policies, world: { ...world, instances: instances.toSpliced(change.at, 1) } };
    case "policy":
      return { policies: policies.with(change.at, change.policies), world };
    case "scope": {
      const scopes = new Map([...world.scopes, [change.scope, change.labels] as const]);
      return { policies, world: { ...world, scopes } };
    }
    case "resolvers":
      return { policies, world: { ...world, resolvers: change.resolvers } };
    default:
      return change satisfies never;
  }
}

const EMPTY: State = {
  policies: Array.from({ length: PLACES + 1 }, () => []),
  world: { instances: [], scopes: new Map() },
};

test(`after each change of ${RUNS} random histories the tables are those of a compiler that knew nothing`, () => {
  let tables = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 40 }), (steps) => {
      const compiler = createPolicyCompiler();
      let state = EMPTY;
      for (const change of steps) {
        state = take(state, change);
        const policies = state.policies.flat();
        const compiled = compiler.compile(policies, state.world);
        tables += compiled.size;
        assert.deepEqual(compiled, compilePolicies(policies, state.world));
      }
    }),
    { numRuns: RUNS },
  );
  assert.ok(tables > RUNS * 10, `${tables} tables`);
});

test("tables that a change does not touch stay the same objects", () => {
  const make = (id: string, app: string): PolicyInstance => ({
    id,
    name: id,
    scope: "a",
    service: app,
    labels: { app },
    addresses: [`10.0.0.${id.length}`],
    ports: [],
  });
  const instances = [make("i", "web"), make("ii", "db"), make("iii", "cache"), make("iiii", "job")];
  const allow = (to: string, from: string): string =>
    JSON.stringify({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: to },
      spec: {
        podSelector: { matchLabels: { app: to } },
        ingress: [{ from: [{ podSelector: { matchLabels: { app: from } } }] }],
      },
    });
  const text = [allow("db", "web"), allow("cache", "job")].join("\n---\n");
  const { policies } = parsePolicies(text, { file: "p.yaml", scope: "a" });
  const compiler = createPolicyCompiler();
  const world = { instances, scopes: new Map() };
  const before = compiler.compile(policies, world);
  const relabelled = instances.with(3, { ...make("iiii", "job"), labels: { app: "other" } });
  const after = compiler.compile(policies, { ...world, instances: relabelled });
  assert.equal(after.get("ii")?.ingress, before.get("ii")?.ingress);
  assert.notEqual(after.get("iii")?.ingress, before.get("iii")?.ingress);
  const tagged = relabelled.with(0, { ...make("i", "web"), labels: { app: "web", tier: "x" } });
  const again = compiler.compile(policies, { ...world, instances: tagged });
  assert.equal(again.get("ii")?.ingress, before.get("ii")?.ingress, "the caller has a label more");
});
