// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isKind } from "#base/errors.ts";
import { policyErrors } from "./errors.ts";
import { parsePolicies } from "./parse-policies.ts";
import { runPolicyTests, type TestResult } from "./run-tests.ts";

const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { service: db } }
  ingress:
    - from: [{ podSelector: { matchLabels: { role: front } } }]
      ports: [{ port: sql }]
    - from: [{ ipBlock: { cidr: 10.0.0.0/8 } }]
      ports: [{ port: 53, protocol: UDP }]
---
tests:
`;
const service = (name: string, labels: Record<string, string> = {}) => ({
  scope: "shop",
  service: name,
  labels,
  ports: name === "db" ? [{ name: "sql", protocol: "TCP", port: 5432 } as const] : [],
});

function run(...lines: readonly string[]): readonly TestResult[] {
  const text = POLICY + lines.map((line) => `  - ${line}\n`).join("");
  const { policies, tests } = parsePolicies(text, { file: "p.yaml", scope: "shop" });
  const services = [service("web", { role: "front" }), service("other"), service("db")];
  const scopes = new Map<string, Readonly<Record<string, string>>>();
  return runPolicyTests(tests, {
    policies,
    services,
    scopes,
    scope: "shop",
    known: new Set(["shop"]),
  });
}

describe("runPolicyTests()", () => {
  test("says what the policies say, with the policy and the line", () => {
    const results = run(
      "{ from: web, to: db, port: 5432, expect: allow }",
      "{ from: other, to: db, port: 5432, expect: deny }",
      "{ from: web, to: db, port: 5433, expect: deny }",
      "{ from: 10.1.2.3, to: db, port: 53, protocol: UDP, expect: allow }",
      "{ from: other, to: web, protocol: ICMP, expect: allow }",
      '{ can: [bank/ledger, "shop/web:80"] }',
      '{ cannot: ["2001:db8::1", "db:53/udp"] }',
    );
    assert.deepEqual(
      results.map(({ passed }) => passed),
      results.map(() => true),
    );
    assert.deepEqual(
      [results[0], results[1]].map((one) => one?.steps.at(-1)?.at?.line),
      [7, 1],
    );
    assert.deepEqual(
      results.map(({ test: { at } }) => at.line),
      [13, 14, 15, 16, 17, 18, 19],
    );
  });

  test("a test that expects something else fails", () => {
    const [result] = run('{ cannot: [web, "db:5432"] }');
    assert.deepEqual([result?.passed, result?.verdict], [false, "allow"]);
  });

  test("who is not there is no reason to pass", () => {
    assert.throws(
      () => run('{ cannot: [webb, "db:5432"] }'),
      (error) => isKind(error, policyErrors["bad-policy-test"]) && /webb/.test(error.message),
    );
  });

  test("what is no test is refused with its line", () => {
    for (const line of [
      "{ from: web, to: db, expect: allow }",
      "{ from: web, to: db, port: 80, expect: maybe }",
      "{ from: web, port: 80, expect: allow }",
      "{ can: [web] }",
      "{ can: [web, db] }",
      '{ can: [web, "db:99999"] }',
      "{ from: web, to: db, port: 80, expect: allow, via: x }",
    ])
      assert.throws(
        () => run(line),
        (error) => error instanceof Error && "location" in error,
        line,
      );
  });
});
