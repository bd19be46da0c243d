// SPDX-License-Identifier: Apache-2.0
// Whatever is sent, there is an answer that can be read, or silence. FAIRLEAD_FUZZ_COUNT=1000000 takes longer.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeAnswer, encodeQuestion } from "#discovery/testing/ask-dns.ts";
import { createMutator } from "#discovery/testing/mutate.ts";
import { answerQuery, type AnswerContext } from "./answer-query.ts";
import { findAddresses } from "./find-addresses.ts";
import { readQuery } from "./read-query.ts";
import { createZone } from "./zone.ts";

const COUNT = Number(process.env["FAIRLEAD_FUZZ_COUNT"] ?? 50_000);
const SEED = Number(process.env["FAIRLEAD_FUZZ_SEED"] ?? 20_261_123);

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
const SAMPLES = [
  encodeQuestion("web.shop.fairlead.internal"),
  encodeQuestion("WEB.shop.fairlead.internal", { edns: 1_232 }),
  encodeQuestion("_http._tcp.web.shop.fairlead.internal", { type: "SRV", edns: 4_096 }),
  encodeQuestion("1.0.0.10.in-addr.arpa", { type: "PTR" }),
  encodeQuestion("none.shop.fairlead.internal", { type: "AAAA" }),
  encodeQuestion("example.org", { type: "TXT", edns: 512 }),
];

/** What holds for every message: no exception, and an answer that is one, with its question, of a size allowed. */
function check(bytes: Buffer): void {
  const outcome = answerQuery(bytes, CONTEXT);
  if (outcome.kind !== "answer") return;
  const answer = outcome.bytes;
  assert.ok(answer.length <= 1_232);
  assert.equal(answer.readUInt16BE(0), bytes.readUInt16BE(0));
  assert.equal(answer.readUInt16BE(2) >> 15, 1);
  const reading = readQuery(bytes);
  if (reading.kind !== "query") return assert.equal(answer.length, 12);
  const { question, edns } = reading.query;
  assert.deepEqual(answer.subarray(12, 12 + question.length), question);
  if (edns === undefined) assert.ok(answer.length <= 512);
}

test(`${COUNT} mutated questions are answered well or not at all (seed ${SEED})`, () => {
  const mutate = createMutator(SEED);
  for (let i = 0; i < COUNT; i++) {
    const sample = SAMPLES[i % SAMPLES.length] ?? Buffer.alloc(0);
    const bytes = mutate(sample);
    try {
      check(bytes);
    } catch (error) {
      throw new Error(`message ${i}: ${bytes.toString("hex")}`, { cause: error });
    }
  }
});

test("broken answers from upstream are read to their end or not at all", () => {
  const mutate = createMutator(SEED + 2);
  const answers = SAMPLES.flatMap((sample) => {
    const outcome = answerQuery(sample, CONTEXT);
    return outcome.kind === "answer" ? [outcome.bytes] : [];
  });
  for (let i = 0; i < COUNT; i++)
    findAddresses(mutate(answers[i % answers.length] ?? Buffer.alloc(0)));
});

test("random bytes are answered well or not at all", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => check(Buffer.from(bytes))),
    { numRuns: 2_000 },
  );
});

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

test("memory does not grow with nonsense", () => {
  const mutate = createMutator(SEED + 1);
  const run = (): number => {
    for (let i = 0; i < 20_000; i++) check(mutate(SAMPLES[i % SAMPLES.length] ?? Buffer.alloc(0)));
    return process.memoryUsage().heapUsed;
  };
  const firstBytes = run();
  const lastBytes = Math.min(run(), run(), run());
  assert.ok(lastBytes - firstBytes < 64 * 1_048_576, `${firstBytes} to ${lastBytes} bytes`);
});
