// SPDX-License-Identifier: Apache-2.0
// Query bytes and a zone to an answer, to a question for upstream, or to silence. No I/O; never throws.
import type { Query } from "./read-query.ts";
import { readQuery } from "./read-query.ts";
import {
  CLASS_IN,
  FLAG,
  isWithin,
  RCODE,
  TCP_BYTES_MAX,
  TYPE,
  UDP_BYTES,
  UDP_BYTES_MAX,
} from "./wire.ts";
import type { AnswerParts, AnswerRecord } from "./write-answer.ts";
import { writeAnswer, writeRefusal } from "./write-answer.ts";
import type { Rdata, ZoneNode, ZoneView } from "./zone.ts";

export interface AnswerContext {
  readonly zone: ZoneView;
  readonly transport: "udp" | "tcp";
  /** Whether this client may have names outside of the zone looked up. */
  readonly recursion: boolean;
  /** Seconds for which a client may remember an answer; at most 5. */
  readonly ttlSeconds: number;
  readonly negativeTtlSeconds: number;
  /** Any number: which of several addresses comes first. */
  readonly turn: number;
}

export type Outcome =
  | { readonly kind: "answer"; readonly bytes: Buffer; readonly rcode: number }
  /** A name of the world outside: to be asked upstream. */
  | { readonly kind: "forward"; readonly query: Query }
  | { readonly kind: "noise" };

const SILENCE: Outcome = { kind: "noise" };
/** RFC 8482: a small answer to ANY, so that nobody gets much for little. */
const ANY_HINFO = Buffer.concat([Buffer.from([7]), Buffer.from("RFC8482"), Buffer.from([0])]);

/** Bytes an answer to this question may have. */
export function sizeOf(query: Query, transport: "udp" | "tcp"): number {
  if (transport === "tcp") return TCP_BYTES_MAX;
  return Math.min(Math.max(query.edns?.sizeBytes ?? UDP_BYTES, UDP_BYTES), UDP_BYTES_MAX);
}

/** An answer without records: FORMERR, REFUSED, SERVFAIL and the like. */
export function answerWithCode(query: Query, rcode: number, context: AnswerContext): Outcome {
  const flags = context.recursion ? FLAG.RA : 0;
  const bytes = writeAnswer(query, { rcode, flags }, sizeOf(query, context.transport));
  return { kind: "answer", bytes, rcode };
}

/** Cut to nothing, so that a client which exists comes back over TCP and one which is invented costs no more. */
export function answerTruncated(query: Query, context: AnswerContext): Buffer {
  const flags = FLAG.TC | (context.recursion ? FLAG.RA : 0);
  return writeAnswer(query, { rcode: RCODE.NOERROR, flags }, sizeOf(query, context.transport));
}

function rotate<T>(items: readonly T[], turn: number): readonly T[] {
  const first = items.length === 0 ? 0 : turn % items.length;
  return first === 0 ? items : [...items.slice(first), ...items.slice(0, first)];
}

/** Addresses of the hosts that SRV and NS records name. */
function listAdditional(
  rdata: readonly Rdata[],
  { zone, ttlSeconds }: AnswerContext,
): AnswerRecord[] {
  const targets = new Set(rdata.flatMap(({ target }) => target ?? []));
  return [...targets].flatMap((owner) =>
    [TYPE.A, TYPE.AAAA].flatMap((type) =>
      (zone.find(owner)?.records.get(type) ?? []).map(({ bytes }) => ({
        owner,
        type,
        ttlSeconds,
        bytes,
      })),
    ),
  );
}

function listAnswers(node: ZoneNode, type: number, context: AnswerContext): AnswerRecord[] {
  const { ttlSeconds } = context;
  if (type === TYPE.ANY)
    return [{ owner: undefined, type: TYPE.HINFO, ttlSeconds, bytes: ANY_HINFO }];
  const records = rotate(node.records.get(type) ?? [], context.turn);
  return records.map(({ bytes }) => ({ owner: undefined, type, ttlSeconds, bytes }));
}

/** The records for a name that is ours; `node` undefined: there is no such name. */
function collect(query: Query, node: ZoneNode | undefined, context: AnswerContext): AnswerParts {
  const flags = FLAG.AA | (context.recursion ? FLAG.RA : 0);
  const answer = node === undefined ? [] : listAnswers(node, query.type, context);
  if (answer.length > 0) {
    const withTargets = query.type === TYPE.SRV || query.type === TYPE.NS;
    const rdata = withTargets ? (node?.records.get(query.type) ?? []) : [];
    return { rcode: RCODE.NOERROR, flags, answer, additional: listAdditional(rdata, context) };
  }
  const { zone } = context;
  // A reverse name stands in nobody's zone here: it vouches for itself.
  const owner = isWithin(query.name, zone.apex) ? zone.apex : undefined;
  const ttlSeconds = context.negativeTtlSeconds;
  const authority = [{ owner, type: TYPE.SOA, ttlSeconds, bytes: zone.soa }];
  return { rcode: node === undefined ? RCODE.NXDOMAIN : RCODE.NOERROR, flags, authority };
}

/** Answers a question that could be read. */
function answerReadQuery(query: Query, context: AnswerContext): Outcome {
  if (query.edns !== undefined && query.edns.version > 0)
    return answerWithCode(query, RCODE.BADVERS, context);
  if (query.class !== CLASS_IN || query.type === TYPE.AXFR || query.type === TYPE.IXFR)
    return answerWithCode(query, RCODE.REFUSED, context);
  const { zone } = context;
  const node = zone.find(query.name);
  if (node === undefined && !isWithin(query.name, zone.apex)) {
    const wanted = context.recursion && (query.flags & FLAG.RD) !== 0;
    return wanted ? { kind: "forward", query } : answerWithCode(query, RCODE.REFUSED, context);
  }
  // Who is told that it failed asks another server, or again; that there is no such name would be believed.
  if (node === undefined && !zone.isWhole) return answerWithCode(query, RCODE.SERVFAIL, context);
  const parts = collect(query, node, context);
  const bytes = writeAnswer(query, parts, sizeOf(query, context.transport));
  return { kind: "answer", bytes, rcode: parts.rcode };
}

/** Answers one message, whoever it is from and whatever is in it. */
export function answerQuery(bytes: Buffer, context: AnswerContext): Outcome {
  const reading = readQuery(bytes);
  if (reading.kind === "noise") return SILENCE;
  if (reading.kind === "query") return answerReadQuery(reading.query, context);
  const { id, flags, rcode } = reading;
  return { kind: "answer", bytes: writeRefusal(id, flags, rcode), rcode };
}
