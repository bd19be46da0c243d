// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { findIdleParts } from "./find-idle-parts.ts";
import { parsePolicies } from "./parse-policies.ts";
import type { PolicyInstance, PolicyWorld } from "./world.ts";

function instance(service: string, more: Partial<PolicyInstance> = {}): PolicyInstance {
  const labels = { service, ...more.labels };
  const own = { id: service, name: service, scope: "shop", service, addresses: [], ports: [] };
  return { ...own, ...more, labels };
}

const WORLD: PolicyWorld = {
  instances: [
    instance("db", { ports: [{ name: "postgres", protocol: "TCP", port: 5432 }] }),
    instance("web", { labels: { role: "front" } }),
    instance("report", { scope: "billing" }),
  ],
  scopes: new Map(),
};

function find(spec: string): readonly string[] {
  const text = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: p, namespace: shop }
spec: ${spec}`;
  const { policies } = parsePolicies(text, { file: "p.yaml", scope: undefined });
  return policies.flatMap((policy) => findIdleParts(policy, WORLD));
}

test("who is meant by nobody's label is told, with the one that was meant", () => {
  assert.deepEqual(find("{ podSelector: { matchLabels: { service: dbb } } }"), [
    "it selects nobody: service=dbb (did you mean db?)",
  ]);
  const rule =
    "{ from: [{ podSelector: { matchLabels: { role: fornt } } }], ports: [{ port: postgers }] }";
  assert.deepEqual(find(`{ podSelector: {}, ingress: [${rule}] }`), [
    "line 5: nobody is role=fornt (did you mean front?)",
    "line 5: nobody who would be called has a port postgers (did you mean postgres?)",
  ]);
});

test("what is about somebody is not", () => {
  const front = "{ podSelector: { matchLabels: { role: front } } }";
  const others = "{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: billing } } }";
  const block = "{ ipBlock: { cidr: 10.0.0.0/8 } }";
  for (const spec of [
    `{ podSelector: {}, ingress: [{ from: [${front}, ${others}, ${block}], ports: [{ port: postgres }] }] }`,
    "{ podSelector: {}, ingress: [{}], egress: [{ ports: [{ port: postgres }] }] }",
    "{ podSelector: { matchLabels: { service: web } }, egress: [{ to: [{ podSelector: { matchLabels: { service: db } } }], ports: [{ port: postgres }] }] }",
  ])
    assert.deepEqual(find(spec), [], spec);
  assert.deepEqual(
    find(
      "{ podSelector: {}, egress: [{ to: [{ namespaceSelector: { matchLabels: { team: x } } }] }] }",
    ),
    ["line 5: nobody is in the scopes it names"],
  );
});
