// SPDX-License-Identifier: Apache-2.0
// What anybody may send to a port: datagrams of discovery, questions and answers of DNS.
import { decodeHeader } from "#datagram/envelope.ts";
import { createGate } from "#datagram/gate.ts";
import { createSealer } from "#datagram/seal.ts";
import { answerQuery, type AnswerContext } from "#discovery/dns/answer-query.ts";
import { findAddresses } from "#discovery/dns/find-addresses.ts";
import { readQuery } from "#discovery/dns/read-query.ts";
import {
  decodeMessage,
  DISCOVERY,
  encodeDatagram,
  type Message,
} from "#discovery/multicast/datagram.ts";
import { createPeers } from "#discovery/multicast/peers.ts";
import { createPlainForm } from "#discovery/multicast/plain-form.ts";
import { createRoster } from "#discovery/roster.ts";
import { buildAnswerContext } from "#discovery/testing/answer-context.ts";
import { encodeQuestion } from "#discovery/testing/ask-dns.ts";
import { buildRecord } from "#discovery/testing/build-record.ts";
import { createSeededRandom } from "#store/testing/seeded-random.ts";
import { createBelow, createMutator, makeBytes, pickOne, type Below } from "./mutate.ts";
import type { FuzzTarget } from "./target.ts";

const WALL_MS = 1_800_000_000_000;
const SECRET = Buffer.from("a secret of the tests, long enough");
const NOBODY = Buffer.alloc(0);

function makeMessage(below: Below): Message {
  const slot = 1 + below(50);
  const revision = 1 + below(1_000);
  const record = Buffer.from(JSON.stringify(buildRecord(`a${below(50)}`)));
  return pickOne<Message>(
    [
      {
        kind: "beat",
        intervalMs: below(70_000),
        from: 0,
        until: below(60),
        slots: [{ slot, revision }],
      },
      { kind: "part", slot, revision, part: 0, parts: 1, bytes: record },
      { kind: "part", slot, revision, part: below(2), parts: 2, bytes: record.subarray(0, 60) },
      { kind: "ask", target: "me", slots: [slot, revision] },
      { kind: "leave" },
    ],
    below,
  );
}

/** Datagrams without the key, with it and broken, and of the plain form. */
export const datagrams: FuzzTarget = {
  name: "datagrams",
  about:
    "changed datagrams, a third of them sealed with the key after the change: none is believed without it",
  open(seed) {
    const below = createBelow(createSeededRandom(seed));
    const mutate = createMutator(seed + 1);
    const sealer = createSealer(SECRET, DISCOVERY);
    const gate = createGate({
      sealer,
      protocol: DISCOVERY,
      sender: "me",
      incarnation: 1,
      skewMsMax: 30_000,
      perSecondMax: 1_000,
    });
    const roster = createRoster();
    const peers = createPeers(roster, (sender, left) => gate.retire(sender, left));
    const plain = createPlainForm(roster, "legacy", 5_000);
    return {
      attempt(index) {
        // The clocks run fast enough that the rate limit hides nothing, and that what is gone is forgotten.
        const nowMs = index * 10;
        const wallMs = WALL_MS + nowMs;
        const header = {
          sender: `peer${below(30)}`,
          incarnation: 7 + below(2),
          sequence: index + 1,
          stampMs: wallMs,
        };
        const honest = encodeDatagram(header, makeMessage(below));
        const isKeyed = index % 3 === 0;
        const sealed = sealer.seal(isKeyed ? mutate(honest) : honest);
        const bytes = isKeyed ? sealed : mutate(sealed);
        if (index % 1_000 === 0) {
          peers.check(nowMs, Number.NEGATIVE_INFINITY);
          plain.check(nowMs);
          gate.sweep(wallMs);
        }
        plain.take(mutate(Buffer.from(`HEARTBEAT|billing|10.0.0.7:${below(99)}`)), nowMs, wallMs);
        const admitted = gate.admit(bytes, "10.0.0.1", nowMs, wallMs);
        if (decodeHeader(DISCOVERY, bytes) !== undefined) decodeMessage(bytes);
        if (admitted === undefined) return "refused";
        if (!isKeyed && !bytes.equals(sealed))
          throw new Error(`believed: ${bytes.toString("hex")}`);
        const message = decodeMessage(bytes);
        if (message !== undefined) peers.take(admitted, message, nowMs);
        return "taken";
      },
    };
  },
};

const QUESTIONS = [
  encodeQuestion("web.shop.fairlead.internal"),
  encodeQuestion("WEB.shop.fairlead.internal", { edns: 1_232 }),
  encodeQuestion("_http._tcp.web.shop.fairlead.internal", { type: "SRV", edns: 4_096 }),
  encodeQuestion("1.0.0.10.in-addr.arpa", { type: "PTR" }),
  encodeQuestion("none.shop.fairlead.internal", { type: "AAAA" }),
  encodeQuestion("example.org", { type: "TXT", edns: 512 }),
];

function hold(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(what);
}

/** What holds for every question: an answer that is one, with the question in it, of a size that is allowed; or silence. */
function checkAnswer(bytes: Buffer, context: AnswerContext): Buffer | undefined {
  const outcome = answerQuery(bytes, context);
  if (outcome.kind !== "answer") return undefined;
  const answer = outcome.bytes;
  hold(answer.length <= 1_232, "longer than any answer may be");
  hold(answer.readUInt16BE(0) === bytes.readUInt16BE(0), "another id");
  hold(answer.readUInt16BE(2) >> 15 === 1, "not marked as an answer");
  const reading = readQuery(bytes);
  if (reading.kind !== "query") {
    hold(answer.length === 12, "more than a header for what is no question");
    return answer;
  }
  const { question, edns } = reading.query;
  hold(answer.subarray(12, 12 + question.length).equals(question), "another question");
  hold(edns !== undefined || answer.length <= 512, "longer than 512 bytes without EDNS");
  return answer;
}

/** Questions to the DNS server. */
export const dns: FuzzTarget = {
  name: "dns",
  about: "changed questions and random bytes: answered well or not at all",
  open(seed) {
    const below = createBelow(createSeededRandom(seed));
    const mutate = createMutator(seed + 1);
    const context = buildAnswerContext();
    return {
      attempt(index) {
        const sample = QUESTIONS[index % QUESTIONS.length] ?? NOBODY;
        const bytes = below(20) === 0 ? makeBytes(below(600), below) : mutate(sample);
        try {
          return checkAnswer(bytes, context) === undefined ? "refused" : "taken";
        } catch (cause) {
          throw new Error(bytes.toString("hex"), { cause });
        }
      },
    };
  },
};

/** Answers of name servers upstream. */
export const dnsAnswers: FuzzTarget = {
  name: "dns-answers",
  about: "changed answers from upstream: read to their end or not at all",
  open(seed) {
    const mutate = createMutator(seed);
    const context = buildAnswerContext();
    const answers = QUESTIONS.flatMap((sample) => checkAnswer(sample, context) ?? []);
    return {
      attempt: (index) =>
        findAddresses(mutate(answers[index % answers.length] ?? NOBODY)) === undefined
          ? "refused"
          : "taken",
    };
  },
};
