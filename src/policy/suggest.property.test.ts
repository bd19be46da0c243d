// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { PolicyProtocol } from "#model/policy.ts";
import { compilePolicies, findTable } from "./compile-policies.ts";
import { lookUp } from "./look-up.ts";
import { parsePolicies } from "./parse-policies.ts";
import { suggestPolicies, type Seen, type SeenEnd } from "./suggest.ts";
import { SERVICE_LABEL, type PolicyInstance } from "./world.ts";

const INSTANCES: readonly PolicyInstance[] = [
  ["shop", "web"],
  ["shop", "web"],
  ["shop", "db"],
  ["shop", "cache_1"],
  ["shop", "cache-1"],
  ["bank", "web"],
  ["bank", "ledger"],
].map(([scope = "", service = ""], at) => ({
  id: `i${at}`,
  name: `${scope}-${service}-${at}`,
  scope,
  service,
  labels: { [SERVICE_LABEL]: service },
  addresses: [`10.0.0.${at + 1}`, `fd00::${at + 1}`],
  ports: [],
}));
const STRANGERS = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];
const PROTOCOLS = [
  ["tcp", "TCP"],
  ["udp", "UDP"],
  ["icmp", "ICMP"],
] as const;

const inside: fc.Arbitrary<SeenEnd> = fc
  .constantFrom(...INSTANCES)
  .map(({ scope, service }) => ({ scope, service }));
const end: fc.Arbitrary<SeenEnd> = fc.oneof(
  { weight: 4, arbitrary: inside },
  fc.constantFrom(...STRANGERS).map((address) => ({ address })),
);
const seen: fc.Arbitrary<Seen> = fc
  .record({
    from: end,
    to: end,
    protocol: fc.constantFrom(...PROTOCOLS.map(([name]) => name)),
    port: fc.constantFrom(53, 80, 81),
  })
  .map((one) => (one.protocol === "icmp" ? { ...one, port: 0 } : one));

const nameOf = (one: SeenEnd): string =>
  "service" in one ? `${one.scope}/${one.service}` : one.address;

test("what is suggested allows what was seen, and no other peer or port", () => {
  fc.assert(
    fc.property(fc.array(seen, { maxLength: 12 }), (flows) => {
      const { manifests, leftOut } = suggestPolicies("shop", flows);
      assert.deepEqual(leftOut, []);
      const text = manifests.map((one) => JSON.stringify(one)).join("\n---\n");
      const { policies } = parsePolicies(text, { file: "s.yaml", scope: undefined });
      const tables = compilePolicies(policies, { instances: INSTANCES, scopes: new Map() });
      const known = new Set(
        flows.map(
          ({ from, to, protocol, port }) => `${nameOf(from)} ${nameOf(to)} ${protocol} ${port}`,
        ),
      );
      const peers = [
        ...INSTANCES.flatMap((one) =>
          one.addresses.map((address) => ({ name: nameOf(one), address })),
        ),
        ...STRANGERS.map((address) => ({ name: address, address })),
      ];
      for (const self of INSTANCES)
        for (const peer of peers)
          for (const [name, protocol] of PROTOCOLS)
            for (const port of protocol === "ICMP" ? [0] : [53, 80, 81, 8080]) {
              const asked = { address: peer.address, protocol: protocol as PolicyProtocol, port };
              const own = nameOf(self);
              const table = findTable(tables, self.id);
              const isFree = self.scope !== "shop";
              assert.equal(
                lookUp(table.ingress, asked),
                isFree || known.has(`${peer.name} ${own} ${name} ${port}`),
                `${peer.name} to ${own} ${name} ${port}`,
              );
              assert.equal(
                lookUp(table.egress, asked),
                isFree || known.has(`${own} ${peer.name} ${name} ${port}`),
                `${own} to ${peer.name} ${name} ${port}`,
              );
            }
    }),
    { numRuns: Number(process.env["FAIRLEAD_POLICY_RUNS"] ?? 300) },
  );
});

test("what no policy can say is left out, with the reason", () => {
  const from: SeenEnd = { scope: "shop", service: "web" };
  const to: SeenEnd = { address: "192.0.2.1" };
  const { manifests, leftOut } = suggestPolicies("shop", [
    { from, to, protocol: "gre", port: 0 },
    { from, to, protocol: "tcp", port: 0 },
    { from, to, protocol: "tcp", port: 443, name: "api.example.com" },
  ]);
  assert.equal(manifests.length, 1);
  assert.deepEqual(
    leftOut.map(({ why }) => /gre|so many|api\.example\.com/.exec(why)?.[0]),
    ["gre", "so many", "api.example.com"],
  );
});
