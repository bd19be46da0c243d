// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJoinToken, renderJoinToken, type JoinToken } from "./join-token.ts";

const TOKEN: JoinToken = {
  fleet: "harbour",
  endpoints: ["10.0.0.5:2379", "[fd00::6]:2379"],
  ca: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
  id: "tok_0K9F2Q7V3M4T2A",
  secret: "hU3aYw8cQ1eRrT5zXk9mNg",
};

const { ca: _, ...SHORT } = TOKEN;

function problemOf(text: string): string {
  const parsed = parseJoinToken(text);
  assert.equal(parsed.ok, false, `was accepted: ${text.slice(0, 60)}`);
  return parsed.ok ? "" : parsed.problem;
}

test("what was written is read back, and is one word of a shell", () => {
  const text = renderJoinToken(TOKEN);
  assert.match(text, /^flj1_[\w-]+$/);
  assert.deepEqual(parseJoinToken(text), { ok: true, token: TOKEN });
});

test("one character changed, dropped, doubled or swapped anywhere is told", () => {
  const text = renderJoinToken(SHORT);
  for (let at = 0; at < text.length; at++) {
    const [before, own, after] = [text.slice(0, at), text.charAt(at), text.slice(at + 1)];
    const other = own === "A" ? "B" : "A";
    const next = after.charAt(0);
    const broken = [before + other + after, before + after, before + own + own + after];
    if (next !== own && next !== "") broken.push(before + next + own + after.slice(1));
    for (const one of broken) problemOf(one);
  }
  for (let length = 0; length < text.length; length++) problemOf(text.slice(0, length));
});

const BAD: readonly (readonly [title: string, text: string, says: RegExp])[] = [
  ["nothing", "", /begins with flj1_/],
  ["another word", "SWMTKN-1-abc", /begins with flj1_/],
  ["a later version", "flj2_abcd", /another version/],
  ["a line break inside", "flj1_ab\ncd", /character/],
  ["a shell's leavings", "flj1_$(reboot)", /character/],
  ["a megabyte", `flj1_${"A".repeat(1_000_000)}`, /too long/],
  ["only a sum", "flj1_AAAA", /mistyped/],
];
for (const [title, text, says] of BAD)
  test(`${title} is no token`, () => assert.match(problemOf(text), says));

test("a sum that is right over something else is no token", () => {
  const forge = (value: unknown) => renderJoinToken(value as JoinToken);
  assert.match(problemOf(forge(1)), /nothing usable/);
  assert.match(problemOf(forge({ ...TOKEN, fleet: "../etc" })), /nothing usable of fleet/);
  assert.match(problemOf(forge({ ...TOKEN, endpoints: [] })), /nothing usable of endpoints/);
  assert.match(problemOf(forge({ ...TOKEN, secret: "short" })), /nothing usable of secret/);
  assert.match(problemOf(forge({ ...TOKEN, more: 1 })), /nothing usable/);
});
