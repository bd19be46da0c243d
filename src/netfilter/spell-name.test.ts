// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { quoteText, spellName } from "./spell-name.ts";

describe("spellName()", () => {
  it("keeps what nft takes and spells the rest, so that different texts stay different", () => {
    assert.equal(spellName("service", "shop/web"), "service-shop_2fweb");
    const texts = [
      "a",
      "a_",
      "a__",
      "a/b",
      "a_2fb",
      "A",
      "ä",
      "",
      'x"; drop',
      "a".repeat(200),
      "a".repeat(201),
    ];
    const names = texts.map((text) => spellName("s", text));
    assert.equal(new Set(names).size, texts.length);
    for (const name of names) assert.match(name, /^s-[A-Za-z0-9_-]{0,98}$/);
  });

  it("takes no kind that is not a word", () => {
    assert.throws(() => spellName("1; drop", "x"), /no kind/);
  });
});

describe("quoteText()", () => {
  it("takes what stays between the quotes", () => {
    assert.equal(quoteText("eth0.1@x"), '"eth0.1@x"');
    for (const text of ['a"b', "a\nb", "a\\", "a\u0000", "ä".repeat(64)])
      assert.throws(() => quoteText(text), /nft takes no text/);
  });
});
