// SPDX-License-Identifier: Apache-2.0
// Whatever is asked, the answer can be read. What is no question: `npm run fuzz -- dns`.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeAnswer, encodeQuestion } from "#discovery/testing/ask-dns.ts";
import { answerQuery, type AnswerContext } from "./answer-query.ts";
import { createZone } from "./zone.ts";

function buildContext(): AnswerContext {
  const zone = createZone();
  const ports = [{ name: "http", port: 80, protocol: "tcp" as const }];
  const members = Array.from({ length: 40 }, (_, i) => ({
    label: `${i}`,
    addresses: [`10.0.0.${i}`],
    ports,
  }));
  zone.put({ scope: "shop", name: "web", members });
  const times = { ttlSeconds: 2, negativeTtlSeconds: 1 };
  return { zone, transport: "udp", recursion: true, ...times, turn: 0 };
}

const CONTEXT = buildContext();
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
