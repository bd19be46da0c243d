// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { editSettings, restoreSettings } from "./edit-settings.ts";
import { parseSettingsFile } from "./settings-file.ts";

const CHANGES = {
  "store.endpoints": "10.0.0.5:2379,10.0.0.6:2379",
  "fleet.name": "harbour",
};

/** What a node reads in it. */
function readValues(text: string): Record<string, unknown> {
  const { entries } = parseSettingsFile("fairlead.yaml", text);
  return Object.fromEntries(entries.map(({ path, value }) => [path, value]));
}

const FILES: Readonly<Record<string, string>> = {
  "an empty file": "",
  "one with comments": [
    "# of harbour's second host",
    "version: 1",
    "listen: off # no page here",
    "",
    "engine:",
    "  # half of the cores",
    "  parallelism: 8",
    "",
  ].join("\n"),
  "one with values that join sets": [
    "store:",
    '  endpoints: "127.0.0.1:2379" # for tests',
    "  kind: sqlite",
    "fleet:",
    "  listen: 0.0.0.0:7121",
    "",
  ].join("\n"),
  "one in braces": 'version: 1\nstore: { endpoints: "127.0.0.1:2379", user: ana }\n',
};

for (const [title, text] of Object.entries(FILES)) {
  test(`${title} is read with the new values and all others`, () => {
    const edited = editSettings(text, CHANGES);
    assert.deepEqual(readValues(edited), { ...readValues(text), ...CHANGES });
    for (const comment of text.match(/#[^\n]*/g) ?? []) assert.ok(edited.includes(comment), edited);
    assert.equal(editSettings(edited, CHANGES), edited, "doing it again changes nothing");
  });

  test(`${title} is put back`, () => {
    const restored = restoreSettings(editSettings(text, CHANGES));
    if (text.includes("{")) assert.deepEqual(readValues(restored ?? ""), readValues(text));
    else assert.equal(restored, text);
  });

  test(`${title} is put back to before the first of two joins`, () => {
    const other = { ...CHANGES, "fleet.name": "other", "store.endpoints": "10.1.0.1:2379" };
    const restored = restoreSettings(editSettings(editSettings(text, CHANGES), other));
    assert.deepEqual(readValues(restored ?? ""), readValues(text));
  });
}

test("it is said who wrote a value, and what stood there", () => {
  const edited = editSettings(FILES["one with values that join sets"] ?? "", CHANGES);
  assert.match(
    edited,
    /endpoints: "?10\.0\.0\.5:2379,10\.0\.0\.6:2379"? # for tests; by fairlead join, was "127\.0\.0\.1:2379"\n/,
  );
  assert.match(edited, /name: harbour # by fairlead join\n/);
});

test("what nobody set is left alone, also a file of comments only", () => {
  const [comments, plain] = ["# nothing yet\n", "fleet:\n  name: harbour\n"];
  assert.equal(restoreSettings(comments), comments);
  assert.equal(restoreSettings(plain), plain);
  assert.equal(restoreSettings(editSettings(comments, CHANGES))?.trim(), comments.trim());
});

test("a file that was not there before goes, but for what somebody else has put into it", () => {
  const made = editSettings(undefined, CHANGES);
  assert.match(made, /^# this file was made by fairlead join/);
  assert.deepEqual(readValues(made), CHANGES);
  const twice = editSettings(made, { "fleet.name": "other" });
  assert.equal(restoreSettings(twice), undefined);
  assert.equal(restoreSettings(`${made}listen: off\n`), "listen: off\n");
});
