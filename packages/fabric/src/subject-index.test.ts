// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { matchSubject } from "@fairlead/protocol/subjects.ts";
import fc from "fast-check";
import { SubjectIndex } from "./subject-index.ts";

const word = fc.constantFrom("a", "b", "c");
const subjects = fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join("."));
const patterns = fc
  .tuple(fc.array(fc.oneof(word, fc.constant("*")), { minLength: 1, maxLength: 5 }), fc.boolean())
  .map(([words, open]) => [...words, ...(open ? [">"] : [])].join("."));

test("it finds what comparing each pattern finds, also after some were taken away", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(patterns, fc.boolean()), { maxLength: 30 }),
      fc.array(subjects, { maxLength: 10 }),
      (list, asked) => {
        const index = new SubjectIndex<number>();
        for (const [number, [pattern]] of list.entries()) index.add(pattern, number);
        for (const [number, [pattern, gone]] of list.entries())
          if (gone) index.delete(pattern, number);
        for (const subject of asked) {
          const expected = list.flatMap(([pattern, gone], number) =>
            !gone && matchSubject(pattern, subject) ? [number] : [],
          );
          assert.deepEqual(
            [...index.match(subject)].toSorted((x, y) => x - y),
            expected,
          );
        }
      },
    ),
  );
});

test("wildcards cost no more than there are patterns", () => {
  const index = new SubjectIndex<number>();
  const depth = 12;
  for (let number = 0; number < 2 ** depth; number++) {
    const words = Array.from({ length: depth }, (_, at) => ((number >> at) & 1 ? "*" : "a"));
    index.add(words.join("."), number);
  }
  const subject = Array.from({ length: depth }, () => "a").join(".");
  assert.equal(index.match(subject).size, 2 ** depth);
  assert.equal(index.match(`${subject}.a`).size, 0);
});
