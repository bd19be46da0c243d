// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { arbitraryPolicy } from "./testing/arbitrary-policies.ts";
import { compileCluster } from "./testing/decide.ts";
import { isAllowed, type Cluster, type Pod } from "./testing/oracle.ts";

/** Random policies; each is asked about all pairs of its pods and strangers, on a few ports. */
const RUNS = Number(process.env["FAIRLEAD_POLICY_RUNS"] ?? 300);

const SCOPES = ["a", "b", "c"];
const KEYS = ["app", "tier", "x.io/role"];
const VALUES = ["web", "db", ""];
const labels = fc.dictionary(fc.constantFrom(...KEYS), fc.constantFrom(...VALUES), {
  maxKeys: 3,
  noNullPrototype: true,
});
const policy = arbitraryPolicy({
  scopes: SCOPES,
  keys: KEYS,
  values: VALUES,
  blocks: [
    { cidr: "10.0.0.0/8" },
    { cidr: "10.0.0.0/30", except: ["10.0.0.2/32"] },
    { cidr: "10.0.0.0/16", except: ["10.0.0.0/31", "10.0.0.0/30", "10.0.4.0/24"] },
    { cidr: "0.0.0.0/0", except: ["10.0.0.0/29"] },
    { cidr: "0.0.0.0/0" },
    { cidr: "10.0.0.3/32" },
    { cidr: "fd00::/8", except: ["fd00::4/126"] },
    { cidr: "::/0" },
  ],
});

const pod = fc.record({
  namespace: fc.constantFrom(...SCOPES),
  labels,
  isV6: fc.boolean(),
  ports: fc.subarray([
    { name: "http", port: 80, protocol: "TCP" },
    { name: "http", port: 88, protocol: "TCP" },
    { name: "dns", port: 53, protocol: "UDP" },
  ]),
});

const STRANGERS: readonly Pod[] = ["10.0.0.200", "192.0.2.1", "fd00::f5", "2001:db8::1"].map(
  (address) => ({ labels: {}, address, ports: [] }),
);

const anyCluster = fc.record({
  namespaces: fc.record({ a: labels, b: labels, c: fc.constant({}) }),
  policies: fc
    .array(policy, { minLength: 1, maxLength: 5 })
    .map((all) =>
      all.map((one, index) => ({ ...one, metadata: { ...one.metadata, name: `p${index}` } })),
    ),
  pods: fc.array(pod, { minLength: 2, maxLength: 6 }).map((all) =>
    all.map(({ isV6, ...rest }, index): Pod => ({
      ...rest,
      address: isV6 ? `fd00::${index + 1}` : `10.0.0.${index + 1}`,
    })),
  ),
});

const ASKED = [
  ["TCP", 80],
  ["TCP", 88],
  ["TCP", 91],
  ["TCP", 443],
  ["UDP", 53],
  ["UDP", 80],
  ["SCTP", 80],
  ["ICMP", 0],
] as const;

test(`the tables say what a second reading of the semantics says, for ${RUNS} random sets of policies`, () => {
  let [asked, allowed] = [0, 0];
  fc.assert(
    fc.property(anyCluster, ({ pods, ...cluster }) => {
      const compiled = compileCluster(cluster satisfies Cluster, pods);
      const ends = [...pods, ...STRANGERS];
      for (const from of ends)
        for (const to of ends) {
          if (from === to || (from.namespace ?? to.namespace) === undefined) continue;
          for (const [protocol, portNumber] of ASKED) {
            const flow = { from, to, protocol, port: portNumber };
            const expected = isAllowed(cluster, flow);
            asked += 1;
            if (expected) allowed += 1;
            if (compiled.decide(flow) !== expected)
              assert.fail(
                `${from.address} -> ${to.address} ${protocol}/${portNumber}: ${expected}`,
              );
          }
        }
    }),
    { numRuns: RUNS },
  );
  assert.ok(asked > RUNS * 40, `${asked} asked`);
  assert.ok(allowed > asked / 20 && allowed < (asked * 19) / 20, `${allowed} of ${asked} allowed`);
});
