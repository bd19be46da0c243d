// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { canonicalise } from "./canonicalise.ts";
import { createFindings } from "./findings.ts";
import { mergeTrees, pruneTags } from "./merge-trees.ts";
import { parseTrees } from "./parse-tree.ts";
import { project } from "./schema/project.ts";
import { readTable } from "./testing/read-table.ts";
import { toPlain, type Tree } from "./tree.ts";

const Table = z.object({
  merge: z.array(
    z.object({ test: z.string(), base: z.string(), override: z.string(), want: z.string() }),
  ),
  unicity: z.array(z.object({ test: z.string(), in: z.string(), want: z.string() })),
});
const table = Table.parse(readTable("compose-merge.json"));

/** `build.platform` is no key of the specification; the table uses it, and generic merging has to do. */
function read(text: string, keepUnknown = true): Tree {
  const [tree] = parseTrees(text, "t.yaml");
  assert.ok(tree);
  const findings = createFindings();
  const canonical = canonicalise(tree, project, "", findings);
  const unknown = findings.problems.filter((p) => p.slug === "unknown-key");
  if (keepUnknown) {
    const partial = findings.problems.filter(
      (p) => !/unknown key "platform"|needs the key/.test(p.message),
    );
    assert.deepEqual(partial, []);
  }
  assert.ok(unknown.length <= 1);
  return canonical;
}

function merge(...texts: readonly string[]): unknown {
  let whole: Tree | undefined;
  for (const text of texts)
    whole = whole === undefined ? read(text) : mergeTrees(whole, read(text), project);
  return toPlain(pruneTags(whole ?? read("{}")));
}

describe("mergeTrees()", () => {
  test("the table has all 60 merges and 4 cases of unicity", () => {
    assert.deepEqual([table.merge.length, table.unicity.length], [60, 4]);
  });

  for (const c of table.merge) {
    test(c.test, () => assert.deepEqual(merge(c.base, c.override), merge(c.want)));
  }
  for (const c of table.unicity) {
    test(c.test, () => assert.deepEqual(merge(c.in), merge(c.want)));
  }

  test("the order of lists is that of the table", () => {
    const ports = table.unicity.find((c) => c.test === "Test_PortsShortUnicity");
    assert.equal(JSON.stringify(merge(ports?.in ?? "")), JSON.stringify(merge(ports?.want ?? "")));
  });

  test("!reset removes and !override replaces", () => {
    const base =
      "services: {a: {image: x, ports: ['80:80'], environment: {A: '1', B: '2'}, command: [run]}}";
    const over =
      "services: {a: {ports: !reset [], environment: !override {C: '3'}, command: !reset null}}";
    assert.deepEqual(merge(base, over), {
      services: { a: { image: "x", environment: { C: "3" } } },
    });
  });

  test("!reset of a single variable keeps the others", () => {
    const base = "services: {a: {image: x, environment: {A: '1', B: '2'}}}";
    const over = "services: {a: {environment: {A: !reset null}}}";
    assert.deepEqual(merge(base, over), {
      services: { a: { image: "x", environment: { B: "2" } } },
    });
  });
});
