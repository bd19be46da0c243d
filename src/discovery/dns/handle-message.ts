// SPDX-License-Identifier: Apache-2.0
// What happens to one message, whichever way it came: limit, answer, forward.
import type { Clock } from "#base/clock.ts";
import { createSourceLimiter, sourceOf } from "#datagram/source-limiter.ts";
import {
  answerQuery,
  answerTruncated,
  answerWithCode,
  sizeOf,
  type AnswerContext,
} from "./answer-query.ts";
import type { AskerJudge } from "./askers.ts";
import { readAnswered } from "./find-addresses.ts";
import type { Forwarder } from "./forwarder.ts";
import { readQuery, type Query } from "./read-query.ts";
import { decodeName, RCODE } from "./wire.ts";
import type { ZoneView } from "./zone.ts";

/** What became of the messages since the start. */
export interface MessageCounters {
  messages: number;
  answered: number;
  /** Of those answered: names that do not exist. */
  nxdomain: number;
  refused: number;
  malformed: number;
  /** No question at all: not answered. */
  noise: number;
  /** Above the limit of their source. */
  limited: number;
}

export interface HandlerOptions {
  readonly zone: ZoneView;
  readonly ttlSeconds: number;
  readonly negativeTtlSeconds: number;
  readonly isClient: (address: string) => boolean;
  readonly forwarder: Forwarder | undefined;
  readonly askers?: AskerJudge | undefined;
  readonly queriesPerSecondMax: number;
}

/** An answer now, later, or none. */
export type Reply = Buffer | undefined | Promise<Buffer | undefined>;

export interface MessageHandler {
  readonly counters: Readonly<MessageCounters>;
  handle(bytes: Buffer, source: string, transport: "udp" | "tcp"): Reply;
}

const SOURCES_MAX = 4_096;

/** The one place through which messages of all sockets go. */
export function createMessageHandler(
  options: HandlerOptions,
  { clock }: { readonly clock: Clock },
): MessageHandler {
  const { zone, ttlSeconds, negativeTtlSeconds, isClient, forwarder, askers } = options;
  const perSecond = options.queriesPerSecondMax;
  const limiter = createSourceLimiter({ perSecond, burst: perSecond, sourcesMax: SOURCES_MAX });
  const counters: MessageCounters = {
    messages: 0,
    answered: 0,
    nxdomain: 0,
    refused: 0,
    malformed: 0,
    noise: 0,
    limited: 0,
  };
  let turn = 0;

  /** Every second question above the limit is sent to TCP, the others are lost: an attacker gains nothing by either. */
  function limit(bytes: Buffer, context: AnswerContext): Buffer | undefined {
    counters.limited++;
    if (context.transport === "tcp" || counters.limited % 2 === 0) return undefined;
    const reading = readQuery(bytes);
    return reading.kind === "query" ? answerTruncated(reading.query, context) : undefined;
  }

  function fail(query: Query, context: AnswerContext, rcode: number): Buffer | undefined {
    const failure = answerWithCode(query, rcode, context);
    return failure.kind === "answer" ? failure.bytes : undefined;
  }

  async function forward(
    query: Query,
    context: AnswerContext,
    source: string,
  ): Promise<Buffer | undefined> {
    const { transport } = context;
    const sizeMax = sizeOf(query, transport);
    const name = askers === undefined ? "" : decodeName(query.name);
    const judged = askers?.judge(source, name) ?? "free";
    if (judged === "refused") {
      count(RCODE.REFUSED);
      return fail(query, context, RCODE.REFUSED);
    }
    const answer = await forwarder?.forward({ query, transport, sizeMax });
    if (answer === undefined) return fail(query, context, RCODE.SERVFAIL);
    if (judged === "free") return answer;
    const addresses = readAnswered(answer);
    const isGood = addresses !== undefined && (await askers?.admit(source, name, addresses));
    return isGood === true ? answer : fail(query, context, RCODE.REFUSED);
  }

  function count(rcode: number): void {
    if (rcode === RCODE.REFUSED) counters.refused++;
    else if (rcode === RCODE.FORMERR || rcode === RCODE.NOTIMP) counters.malformed++;
    else counters.answered++;
    if (rcode === RCODE.NXDOMAIN) counters.nxdomain++;
  }

  return {
    counters,
    handle(bytes, source, transport) {
      counters.messages++;
      turn = (turn + 1) >>> 0;
      const known = isClient(source);
      const recursion = known && forwarder !== undefined;
      const context = { zone, transport, recursion, ttlSeconds, negativeTtlSeconds, turn };
      if (!limiter.allow(sourceOf(source), clock.monotonicMs())) return limit(bytes, context);
      const outcome = answerQuery(bytes, context);
      if (outcome.kind === "noise") {
        counters.noise++;
        return undefined;
      }
      if (outcome.kind === "forward") return forward(outcome.query, context, source);
      count(outcome.rcode);
      return outcome.bytes;
    },
  };
}
