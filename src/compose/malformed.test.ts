// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Diagnostic } from "#model/intent.ts";
import { ComposeFailure } from "./findings.ts";
import { loadText } from "./testing/load-text.ts";
import { readMalformed } from "./testing/malformed.ts";

async function collect(
  run: () => Promise<{ readonly diagnostics: readonly Diagnostic[] }>,
): Promise<{ readonly refused: boolean; readonly found: readonly Diagnostic[] }> {
  try {
    return { refused: false, found: (await run()).diagnostics };
  } catch (thrown) {
    assert.ok(thrown instanceof ComposeFailure, String(thrown));
    return { refused: true, found: thrown.problems };
  }
}

describe("a malformed Compose file", () => {
  const cases = readMalformed();

  test("there are at least 60 of them, each with a name of its own", () => {
    assert.ok(cases.length >= 120);
    assert.equal(new Set(cases.map((c) => c.name)).size, cases.length);
  });

  for (const c of cases) {
    test(`${c.name}: ${c.id} in line ${c.line}`, async () => {
      const { refused, found } = await collect(() =>
        loadText(c.text, c.files, { profiles: c.profiles }),
      );
      assert.equal(refused, c.severity === "error", JSON.stringify(found));
      const hit = found.find((d) => d.id === c.id && d.message.includes(c.message));
      assert.ok(hit, JSON.stringify(found, undefined, 1));
      assert.deepEqual([hit.at?.file, hit.at?.line], [c.file, c.line], JSON.stringify(hit));
      assert.ok((hit.at?.column ?? 0) >= 1);
      if (c.hint !== undefined) assert.ok(hit.hint?.includes(c.hint), JSON.stringify(hit));
    });
  }

  test("shows all its problems at once, in the order of the lines", async () => {
    const text = "services:\n  a:\n    imag: x\n    ports: nothing\n  b:\n    image: 3\n";
    const { refused, found } = await collect(() => loadText(text));
    assert.ok(refused);
    assert.deepEqual(
      found.map((d) => [d.id, d.at?.line]),
      [
        ["FL0205", 3],
        ["FL0206", 4],
        ["FL0206", 6],
      ],
    );
  });
});
