// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { makeEntry, makePlace } from "./testing/open-test-log.ts";

describe("openAudit", () => {
  test("lines that wait together are written together, in order, and go on after a start", async () => {
    using place = makePlace();
    {
      await using log = await place.open();
      const numbers = await Promise.all(
        Array.from({ length: 500 }, (_, i) => log.append(makeEntry(`one ${i}`))),
      );
      assert.deepEqual(
        numbers,
        Array.from({ length: 500 }, (_, i) => i + 1),
      );
      log.note(makeEntry("a note"));
    }
    await using log = await place.open();
    assert.equal(await log.append(makeEntry("next")), 502);
    const { lines, findings, heads } = await log.verify();
    assert.deepEqual([lines, findings, heads.map(({ ok }) => ok)], [502, [], [true]]);
    assert.ok(place.heads.length < 300, "heads of lines that were written together are one");
  });

  test("list() gives the newest first, and only what was asked for", async () => {
    using place = makePlace();
    await using log = await place.open();
    for (const actor of ["token", "agent shop/a", "token"])
      await log.append({ ...makeEntry(`by ${actor}`), actor });
    const found = await log.list({ actor: "token", limit: 10 });
    assert.deepEqual(
      found.map(({ seq }) => seq),
      [3, 1],
    );
    assert.deepEqual(
      (await log.list({ limit: 1 })).map(({ seq }) => seq),
      [3],
    );
    assert.deepEqual(await log.list({ kind: "docker", limit: 10 }), []);
  });

  test("what is long is cut, control characters are escaped, files are the owner's alone", async () => {
    using place = makePlace();
    await using log = await place.open();
    await log.append({ ...makeEntry("x".repeat(10_000)), actor: "\u001b[31m\nred" });
    const file = join(place.directory, readdirSync(place.directory)[0] ?? "");
    const text = readFileSync(file, "utf8");
    assert.ok(text.length < 1_000);
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    assert.doesNotMatch(text.trimEnd(), /[\u0000-\u001f]/);
    assert.equal(statSync(file).mode & 0o077, 0);
    assert.equal(statSync(join(place.directory, "../audit-key.pem")).mode & 0o077, 0);
  });
});
