// SPDX-License-Identifier: Apache-2.0
// Names of the world outside are asked upstream. Equal questions that wait share one exchange, which bounds what a loop
// between name servers can do; the letter case is drawn anew for each (0x20), by which an own question is known again
// when it comes back, and which a forger of answers would have to guess.
import { randomBytes } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import { exchangeTcp, exchangeUdp, type Endpoint } from "./exchange.ts";
import { findAddresses } from "./find-addresses.ts";
import type { Query } from "./read-query.ts";
import { FLAG, HEADER_BYTES, RCODE } from "./wire.ts";
import { writeAnswer } from "./write-answer.ts";

export interface ForwarderOptions {
  readonly upstreams: readonly Endpoint[];
  /** How long one upstream is waited for before the next is asked. */
  readonly attemptMs: number;
  /** How long all of them together may take. */
  readonly deadlineMs: number;
  /** Addresses that a name of the world outside may not have, so that none of its pages reaches into this network. */
  readonly isForbidden?: (address: string) => boolean;
  /** Exchanges at once; more are refused at once instead of being queued. */
  readonly exchangesMax: number;
}

export interface ForwardRequest {
  readonly query: Query;
  readonly transport: "udp" | "tcp";
  /** Bytes the client takes. */
  readonly sizeMax: number;
}

/**
 * `loops`: own questions that came back. `overloaded`: refused because too many waited. `forbidden`: answers withheld as
 * they were broken or named an address that they may not.
 */
export interface ForwarderCounters {
  forwarded: number;
  shared: number;
  failed: number;
  loops: number;
  overloaded: number;
  forbidden: number;
}

export interface Forwarder {
  readonly counters: Readonly<ForwarderCounters>;
  /** The answer, as it is for this client; undefined: no upstream gave one in time, or the question is our own. */
  forward(request: ForwardRequest): Promise<Buffer | undefined>;
  /** Ends what waits; from now on nothing is asked. */
  close(): void;
}

const ROUNDS = 2;
const TRIES_AT_CASE = 8;

/** Letters of the name in upper or lower case by chance, never as they were; without letters, as it was. */
function drawCase(question: Buffer): Buffer {
  for (let tries = 0; tries < TRIES_AT_CASE; tries++) {
    const drawn = Buffer.from(question);
    const bits = randomBytes(question.length);
    // Type and class are the last four bytes; lengths of labels are below every letter.
    for (let i = 0; i < drawn.length - 4; i++) {
      const byte = drawn[i] ?? 0;
      const isLetter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
      if (isLetter && ((bits[i] ?? 0) & 1) === 1) drawn[i] = byte ^ 0x20;
    }
    if (!drawn.equals(question)) return drawn;
  }
  return Buffer.from(question);
}

/** Whether `answer` is the answer to `asked`: same id, and the same question to the letter. */
function answers(asked: Buffer, questionBytes: number, answer: Buffer): boolean {
  const end = HEADER_BYTES + questionBytes;
  return (
    answer.length >= end &&
    answer.readUInt16BE(0) === asked.readUInt16BE(0) &&
    (answer.readUInt16BE(2) & FLAG.QR) !== 0 &&
    answer.readUInt16BE(4) === 1 &&
    answer.subarray(HEADER_BYTES, end).equals(asked.subarray(HEADER_BYTES, end))
  );
}

/** The upstream's answer with the client's id and letter case, cut when it is more than the client takes. */
function adapt(answer: Buffer, { query, sizeMax }: ForwardRequest): Buffer {
  if (answer.length > sizeMax) {
    const flags = FLAG.TC | FLAG.RA;
    return writeAnswer(query, { rcode: answer.readUInt8(3) & 15, flags }, sizeMax);
  }
  const own = Buffer.from(answer);
  own.writeUInt16BE(query.id, 0);
  query.question.copy(own, HEADER_BYTES);
  return own;
}

function isFinal(answer: Buffer): boolean {
  const rcode = answer.readUInt8(3) & 15;
  return rcode !== RCODE.SERVFAIL && rcode !== RCODE.REFUSED;
}

/** A forwarder to those upstreams, asked in their order. */
export function createForwarder(
  options: ForwarderOptions,
  { clock }: { readonly clock: Clock },
): Forwarder {
  const { upstreams, attemptMs, deadlineMs, exchangesMax } = options;
  const counters = { forwarded: 0, shared: 0, failed: 0, loops: 0, overloaded: 0, forbidden: 0 };
  const closing = new AbortController();
  const { signal } = closing;
  const waiting = new Map<string, Promise<Buffer | undefined>>();
  /** Questions as they are on the wire now. */
  const asked = new Set<string>();

  async function attempt(
    request: ForwardRequest,
    server: Endpoint,
    question: Buffer,
    timeoutMs: number,
  ): Promise<Buffer | undefined> {
    const bytes = writeQuestion({ ...request.query, question }, request.sizeMax);
    const isAnswer = (answer: Buffer): boolean => answers(bytes, question.length, answer);
    const wire = question.toString("latin1");
    // Only a letter case drawn here is proof; without letters, sharing is what stops a loop.
    if (!question.equals(request.query.question)) asked.add(wire);
    try {
      const answer = await exchangeUdp({ server, bytes, isAnswer, timeoutMs, signal });
      const isCut = answer !== undefined && (answer.readUInt16BE(2) & FLAG.TC) !== 0;
      if (!isCut || request.transport === "udp") return answer;
      return await exchangeTcp({ server, bytes, isAnswer, timeoutMs, signal });
    } finally {
      asked.delete(wire);
    }
  }

  async function ask(request: ForwardRequest): Promise<Buffer | undefined> {
    const endMs = clock.monotonicMs() + deadlineMs;
    let last: Buffer | undefined;
    for (let round = 0; round < ROUNDS; round++) {
      for (const server of upstreams) {
        const leftMs = Math.min(attemptMs, endMs - clock.monotonicMs());
        if (leftMs <= 0 || signal.aborted) return last;
        // Servers that do not keep the case are asked plainly when they are asked again.
        const { question } = request.query;
        const drawn = round === 0 ? drawCase(question) : question;
        const answer = await attempt(request, server, drawn, leftMs);
        if (answer !== undefined && isFinal(answer)) return answer;
        last = answer ?? last;
      }
      // An upstream that says no says it again.
      if (last !== undefined) return last;
    }
    return last;
  }

  function share(request: ForwardRequest): Promise<Buffer | undefined> | undefined {
    const { query, transport, sizeMax } = request;
    const tail = query.question.toString("latin1", query.question.length - 4);
    const edns = query.edns === undefined ? "none" : `${query.edns.dnssecOk} ${sizeMax}`;
    const key = `${transport} ${query.flags & FLAG.CD} ${edns} ${query.name}${tail}`;
    const known = waiting.get(key);
    if (known !== undefined) {
      counters.shared++;
      return known;
    }
    if (waiting.size >= exchangesMax) {
      counters.overloaded++;
      return undefined;
    }
    counters.forwarded++;
    const started = ask(request).finally(() => waiting.delete(key));
    waiting.set(key, started);
    return started;
  }

  function isAllowed(answer: Buffer): boolean {
    const { isForbidden } = options;
    if (isForbidden === undefined) return true;
    const addresses = findAddresses(answer);
    return addresses !== undefined && !addresses.some(isForbidden);
  }

  function withhold({ query, sizeMax }: ForwardRequest): Buffer {
    counters.forbidden++;
    return writeAnswer(query, { rcode: RCODE.REFUSED, flags: FLAG.RA }, sizeMax);
  }

  return {
    counters,
    close: () => closing.abort(),
    async forward(request) {
      if (asked.has(request.query.question.toString("latin1"))) {
        counters.loops++;
        return undefined;
      }
      const answer = await share(request);
      if (answer === undefined) {
        counters.failed++;
        return undefined;
      }
      return isAllowed(answer) ? adapt(answer, request) : withhold(request);
    },
  };
}

/** A question of our own: the client's options stay behind, as they were meant for one hop. */
function writeQuestion(query: Query, sizeMax: number): Buffer {
  const bytes = writeAnswer(
    { ...query, id: randomBytes(2).readUInt16BE(0), flags: FLAG.RD | (query.flags & FLAG.CD) },
    { rcode: RCODE.NOERROR },
    sizeMax,
  );
  bytes.writeUInt16BE(bytes.readUInt16BE(2) & ~FLAG.QR, 2);
  return bytes;
}
