// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "#store/store.ts";
import { createBoardIndex, splitAtSlash } from "./board-index.ts";

/** A board of one room, and an index of it that counts how many entries it read. */
function open() {
  const entries = new Map<string, Entry>();
  const listeners: ((keys: readonly string[]) => void)[] = [];
  let reads = 0;
  const board = {
    list: () => entries,
    onChange: (listener: (keys: readonly string[]) => void) => void listeners.push(listener),
  };
  const index = createBoardIndex({
    board,
    room: "reports",
    placeOf(rest) {
      const [node, scope] = splitAtSlash(rest);
      return [scope, node];
    },
    read({ value }) {
      reads++;
      return typeof value === "number" ? value : undefined;
    },
  });
  return {
    index,
    countReads: () => reads,
    set(rest: string, value: unknown): void {
      if (value === undefined) entries.delete(rest);
      else entries.set(rest, { key: `reports/${rest}`, value, revision: 1 });
      for (const listener of listeners) listener([`reports/${rest}`, "turns/shop/web"]);
    },
    tellAll: () => listeners.forEach((listener) => listener([])),
    entries,
  };
}

test("a change makes its own group anew, and no other", () => {
  const { index, set, countReads } = open();
  for (const node of ["a", "b", "c"])
    for (const scope of ["shop", "bar"]) set(`${node}/${scope}`, 1);
  assert.deepEqual(
    [...index.of("shop")],
    [
      ["a", 1],
      ["b", 1],
      ["c", 1],
    ],
  );
  const [shop, bar, before] = [index.of("shop"), index.of("bar"), countReads()];
  set("b/shop", 2);
  assert.equal(index.of("bar"), bar, "the same object");
  assert.deepEqual(
    [...index.of("shop")],
    [
      ["a", 1],
      ["b", 2],
      ["c", 1],
    ],
  );
  assert.equal(shop.get("b"), 1, "what was given before stays");
  assert.equal(countReads() - before, 1);
});

test("what is deleted or cannot be read is not there; a group without any is empty", () => {
  const { index, set } = open();
  set("a/shop", 1);
  set("b/shop", 1);
  assert.equal(index.of("shop").size, 2);
  set("a/shop", undefined);
  set("b/shop", "torn");
  assert.equal(index.of("shop").size, 0);
  assert.equal(index.of("never").size, 0);
  set("a/shop", 3);
  assert.deepEqual([...index.of("shop")], [["a", 3]]);
});

test("without a word of what changed all is read anew", () => {
  const { index, set, entries, tellAll } = open();
  set("a/shop", 1);
  assert.equal(index.of("shop").get("a"), 1);
  entries.clear();
  entries.set("b/shop", { key: "reports/b/shop", value: 7, revision: 2 });
  tellAll();
  assert.deepEqual([...index.of("shop")], [["b", 7]]);
});
