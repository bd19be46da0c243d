// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { baseErrors, defineErrors, FairleadError, isKind } from "./errors.ts";
import { createId } from "./ids.ts";
import { editDistance, findNearest } from "./nearest.ts";

describe("createId()", () => {
  test("gives ids that sort by time", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 40), fc.nat(2 ** 40), (a, b) => {
        const [first, second] = [createId("dec", a, () => 0.99), createId("dec", b, () => 0)];
        if (a < b) assert.ok(first < second);
      }),
    );
  });

  test("has a prefix, 14 characters, and none that are mistaken for another", () => {
    assert.match(createId("dec", 1_800_000_000_000, Math.random), /^dec_[0-9A-HJKMNP-TV-Z]{14}$/);
  });
});

describe("findNearest()", () => {
  test("knows letters that are swapped, left out, doubled, and the case", () => {
    const known = ["image", "volumes", "networks", "depends_on"];
    const cases = [
      ["imgae", "image"],
      ["volume", "volumes"],
      ["netwworks", "networks"],
      ["DEPENDS-ON", "depends_on"],
    ] as const;
    for (const [word, nearest] of cases) assert.equal(findNearest(word, known), nearest);
  });

  test("says nothing when nothing is near", () => {
    assert.equal(findNearest("kubernetes", ["image", "volumes"]), undefined);
    assert.equal(findNearest("image", []), undefined);
  });
});

test("editDistance() is 0 for equals only, the same both ways, and bounded by the longer word", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => {
      const distance = editDistance(a, b);
      assert.equal(distance === 0, a === b);
      assert.equal(distance, editDistance(b, a));
      assert.ok(distance <= Math.max(a.length, b.length));
    }),
  );
});

describe("FairleadError", () => {
  const errors = defineErrors({
    "no-boat": { id: "FL0199", code: "unavailable", cause: "It sank", remedy: "swim" },
  });

  test("carries its kind; the remedy can be a better one", () => {
    const error = new FairleadError(errors["no-boat"], "there is no boat", { remedy: "wait" });
    assert.equal(error.kind.slug, "no-boat");
    assert.equal(error.code, "unavailable");
    assert.equal(error.remedy, "wait");
    assert.equal(new FairleadError(errors["no-boat"], "x").remedy, "swim");
    assert.ok(isKind(error, errors["no-boat"]) && !isKind(error, baseErrors.internal));
  });

  test("says whether the same call may succeed later", () => {
    assert.equal(new FairleadError(errors["no-boat"], "x").retryable, true);
    assert.equal(new FairleadError(baseErrors["invalid-argument"], "x").retryable, false);
  });

  test("from() keeps its own, wraps what is thrown, and keeps the cause", () => {
    const own = new FairleadError(errors["no-boat"], "x");
    assert.equal(FairleadError.from(own), own);
    const cause = new TypeError("no such thing");
    const wrapped = FairleadError.from(cause, errors["no-boat"]);
    assert.equal(wrapped.message, "no such thing");
    assert.equal(wrapped.cause, cause);
    assert.equal(FairleadError.from("text").message, "text");
  });
});
