// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ComposeFailure } from "#compose/findings.ts";
import { parsePolicies } from "./parse-policies.ts";

const PLACE = { file: "p.yaml", scope: "shop" };
const head = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: a }\n";

function refusal(text: string): readonly string[] {
  try {
    parsePolicies(text, PLACE);
  } catch (thrown) {
    assert.ok(thrown instanceof ComposeFailure, String(thrown));
    return thrown.problems.map(({ message, at }) => `${at?.line}: ${message}`);
  }
  return [];
}

/** What is refused, in which line and field. The spec begins in line 4. */
const HOSTILE: readonly (readonly [name: string, spec: string, problem: RegExp])[] = [
  ["an unknown field", "spec:\n  podSelektor: {}", /^5: spec\.podSelektor is no field/],
  ["an unknown field of a rule", "spec:\n  ingress:\n    - to: []", /^6: spec\.ingress\[0\]\.to /],
  ["a number for a list", "spec:\n  ingress: 3", /^5: spec\.ingress: has to be a list/],
  ["a number for a label", "spec:\n  podSelector: { matchLabels: { a: 1 } }", /matchLabels\.a/],
  ["host bits", block("10.0.0.1/8"), /^7: .*cidr: "10\.0\.0\.1\/8"/],
  ["a length that is none", block("10.0.0.0/33"), /cidr/],
  ["an exception outside", block("10.0.0.0/8", "11.0.0.0/16"), /except\[0\]: 11\.0\.0\.0\/16/],
  ["an exception that is all", block("10.0.0.0/8", "10.0.0.0/8"), /is no part/],
  ["port 0", port("port: 0"), /^6: spec\.ingress\[0\]\.ports\[0\]\.port/],
  ["port 70000", port("port: 70000"), /port: has to be a number from 1 to 65535/],
  ["a port's name with capitals", port("port: Http"), /neither a number/],
  ["an end before the port", port("port: 90, endPort: 80"), /endPort: is below the port/],
  ["an end without a port", port("endPort: 80"), /endPort: needs a port/],
  ["an end after a name", port("port: http, endPort: 80"), /endPort: needs a port/],
  ["a protocol that is none", port("protocol: tcp"), /protocol: has to be one of/],
  ["ICMP with a port", port("protocol: ICMP, port: 8"), /ICMP has no ports/],
  ["a peer that is nobody", "spec:\n  ingress: [{ from: [{}] }]", /from\[0\]: names nobody/],
  ["a null selector", "spec:\n  ingress: [{ from: [{ podSelector: null }] }]", /names nobody/],
  ["a null rule", "spec:\n  ingress: [null]", /ingress\[0\]: has to be a mapping/],
  ["a direction that is none", "spec:\n  policyTypes: [Engress]", /neither Ingress nor Egress/],
  ["a direction twice", "spec:\n  policyTypes: [Egress, Egress]", /twice/],
  ["In without values", expression("operator: In"), /In needs values/],
  ["Exists with values", expression("operator: Exists, values: [x]"), /takes no values/],
  ["an operator that is none", expression("operator: Gt, values: [x]"), /operator has to be/],
  ["no spec", "", /spec is missing/],
];

function block(cidr: string, except?: string): string {
  const holes = except === undefined ? "" : `, except: [${except}]`;
  return `spec:\n  ingress:\n    - from:\n      - ipBlock: { cidr: ${cidr}${holes} }`;
}

function port(fields: string): string {
  return `spec:\n  ingress:\n    - ports: [{ ${fields} }]`;
}

function expression(fields: string): string {
  return `spec:\n  podSelector: { matchExpressions: [{ key: a, ${fields} }] }`;
}

describe("parsePolicies()", () => {
  for (const [name, spec, problem] of HOSTILE)
    test(`refuses ${name}, with line and field`, () => {
      const [first = ""] = refusal(head + spec);
      assert.match(first, problem);
    });

  test("shows all that is wrong at once", () => {
    assert.equal(refusal(`${head}spec:\n  a: 1\n  b: 2\n  ingress: 3`).length, 3);
  });

  test("expands no bomb, and reads no file of ten megabytes", () => {
    const bomb = Array.from({ length: 9 }, (_, i) => {
      const items = Array.from({ length: 9 }, () => (i === 0 ? "x" : `*a${i - 1}`)).join(", ");
      return `a${i}: &a${i} [${items}]`;
    });
    assert.match(refusal(bomb.join("\n"))[0] ?? "", /expands to more than/);
    assert.match(refusal(`${head}# ${"x".repeat(10_000_000)}`)[0] ?? "", /larger than/);
  });

  test("tells absent from empty: no rules deny all, an empty rule allows all", () => {
    const [closed] = parsePolicies(`${head}spec: { podSelector: {}, ingress: [] }`, PLACE).policies;
    const [open] = parsePolicies(`${head}spec: { podSelector: {}, ingress: [{}] }`, PLACE).policies;
    assert.deepEqual(closed?.ingress, []);
    assert.deepEqual(open?.ingress?.[0]?.peers, []);
    assert.equal(closed?.egress, undefined);
  });

  test("takes lists, namespaces and what kubectl adds, and refuses other kinds", () => {
    const file = parsePolicies(
      `apiVersion: v1
kind: List
items:
- { apiVersion: v1, kind: Namespace, metadata: { name: prod, uid: x, labels: { purpose: production } } }
- { apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: a, namespace: prod }, spec: { podSelector: {} } }
`,
      PLACE,
    );
    assert.deepEqual(file.scopes, { prod: { purpose: "production" } });
    assert.deepEqual(
      file.policies.map(({ scope, name, at }) => [scope, name, at.line]),
      [["prod", "a", 5]],
    );
    assert.match(
      refusal("apiVersion: v1\nkind: Pod\nmetadata: { name: a }")[0] ?? "",
      /a Pod of v1/,
    );
  });

  test("wants a scope from somebody", () => {
    assert.throws(
      () => parsePolicies(`${head}spec: {}`, { ...PLACE, scope: undefined }),
      /namespace is missing/,
    );
  });
});
