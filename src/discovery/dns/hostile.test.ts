// SPDX-License-Identifier: Apache-2.0
// Whatever is asked, the answer can be read. What is no question: `npm run fuzz -- dns`.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { buildAnswerContext } from "#discovery/testing/answer-context.ts";
import { decodeAnswer, encodeQuestion } from "#discovery/testing/ask-dns.ts";
import { answerQuery } from "./answer-query.ts";

const CONTEXT = buildAnswerContext();
test("every answer to a name of letters can be read by another implementation", () => {
  const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,30}$/);
  const types = fc.constantFrom("A", "AAAA", "SRV", "PTR", "TXT", "MX", "NS", "SOA", "CAA", "DS");
  fc.assert(
    fc.property(fc.array(label, { minLength: 1, maxLength: 4 }), types, (labels, type) => {
      const bytes = encodeQuestion(`${labels.join(".")}.fairlead.internal`, { type });
      const outcome = answerQuery(bytes, CONTEXT);
      assert.equal(outcome.kind, "answer");
      if (outcome.kind === "answer") assert.equal(decodeAnswer(outcome.bytes).type, "response");
    }),
  );
});
