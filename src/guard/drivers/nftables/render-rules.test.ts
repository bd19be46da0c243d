// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ward } from "#guard/guard.ts";
import { compilePolicies, findTable } from "#policy/compile-policies.ts";
import type { PolicyInstance } from "#policy/world.ts";
import { namesMark } from "./names.ts";
import { renderRules } from "./render-rules.ts";

const at = { file: "policy.yaml", line: 1 };

function makeWard(port: number, mode: Ward["mode"] = "enforce", address = "10.0.0.2"): Ward {
  const place = (id: string, own: string): PolicyInstance => ({
    id,
    name: id,
    scope: "s",
    service: id,
    labels: { role: id },
    addresses: [own],
    ports: [],
  });
  const select = (role: string) => ({ labels: { role }, requirements: [] });
  const peers = [{ kind: "instances" as const, instances: select("asker") }];
  const ingress = [{ peers, ports: [{ protocol: "TCP" as const, port }], at }];
  const policy = { scope: "s", name: "p", instances: select("called"), ingress, at };
  const instances = [place("asker", address), place("called", "10.0.0.1")];
  const compiled = compilePolicies([policy], { instances, scopes: new Map() });
  return { id: "called", pid: 1, mode, table: findTable(compiled, "called") };
}

/** The mark by which packets pass without being judged. */
function findJudged(ward: Ward): number {
  const text = renderRules(ward).join("\n");
  const marks = [...text.matchAll(/input ct mark (\d+) accept/g)].map(([, mark]) => Number(mark));
  assert.equal(marks.length, 1);
  assert.ok(text.includes(`pass_in ct mark set ${marks[0]}`));
  return marks[0] ?? 0;
}

test("connections pass unjudged only by the very rules that have judged them", () => {
  const judged = findJudged(makeWard(80));
  assert.equal(findJudged(makeWard(80)), judged);
  const others = [makeWard(81), makeWard(80, "watch"), makeWard(80, "enforce", "10.0.0.3")];
  for (const other of others) assert.notEqual(findJudged(other), judged);
});

test("that mark is neither nothing nor one of names", () => {
  for (let port = 1; port < 200; port++) {
    const judged = findJudged(makeWard(port));
    assert.ok(judged > 0 && judged < 2 ** 31 && judged % 2 === 0);
    assert.equal((namesMark({ names: [`n${port}.example`] }) ?? 0) % 2, 1);
  }
});
