// SPDX-License-Identifier: Apache-2.0
// What nodes ask each other, in the envelope that all datagrams between hosts have. Pure. Numbers are big-endian.
//
//   ping, ack   nonce (6 bytes), news
//   ask         nonce, length and name of the target, news
//   leave       nothing
//   news        for each peer: length and name, incarnation (6 bytes), sequence (6 bytes), age in ms (2 bytes)
import {
  DATAGRAM_BYTES_MAX,
  encodeEnvelope,
  readBody,
  type Header,
  type Protocol,
} from "#datagram/envelope.ts";

/** "FLM", version 1. */
export const MEMBERSHIP: Protocol = { magic: 0x46_4c_4d_01, purpose: "fairlead membership 1" };
/** The largest age that can be told. */
export const AGE_MS_MAX = 0xffff;

/** The last that anybody has heard of a peer. */
export interface Age {
  readonly id: string;
  readonly incarnation: number;
  /** Of the peer's datagram that was heard: what is told in a circle is nothing new. */
  readonly sequence: number;
  /** How long ago. */
  readonly ageMs: number;
}

export type Message =
  /** "Do you live?" `nonce` is any number below 2^48 that nobody can guess; the answer repeats it. */
  | { readonly kind: "ping"; readonly nonce: number; readonly news: readonly Age[] }
  | { readonly kind: "ack"; readonly nonce: number; readonly news: readonly Age[] }
  /** "Ping the target for me, and answer when it answered." */
  | {
      readonly kind: "ask";
      readonly nonce: number;
      readonly target: string;
      readonly news: readonly Age[];
    }
  | { readonly kind: "leave" };

const KIND = { ping: 1, ack: 2, ask: 3, leave: 4 } as const;
/** The header at its longest, a nonce and a target. */
const HEAD_BYTES = 56 + 63 + 6 + 64;
const TAIL_BYTES = 6 + 6 + 2;
const AGE_BYTES = 1 + TAIL_BYTES;

/** A body is written here and copied from here at once. */
const scratch = Buffer.alloc(DATAGRAM_BYTES_MAX);

function writeName(name: string, at: number): number {
  const length = scratch.write(name, at + 1);
  scratch[at] = length;
  return at + 1 + length;
}

/** Returns where it ends; what does not fit is left out. */
function writeNews(news: readonly Age[], from: number): number {
  const end = from + DATAGRAM_BYTES_MAX - HEAD_BYTES;
  let at = from;
  for (const { id, incarnation, sequence, ageMs } of news) {
    if (at + Buffer.byteLength(id) + AGE_BYTES > end) break;
    at = writeName(id, at);
    scratch.writeUIntBE(incarnation, at, 6);
    scratch.writeUIntBE(sequence, at + 6, 6);
    scratch.writeUInt16BE(Math.min(AGE_MS_MAX, Math.max(0, Math.round(ageMs))), at + 12);
    at += TAIL_BYTES;
  }
  return at;
}

function writeBody(message: Message): number {
  if (message.kind === "leave") return 0;
  scratch.writeUIntBE(message.nonce, 0, 6);
  return writeNews(message.news, message.kind === "ask" ? writeName(message.target, 6) : 6);
}

/** A datagram with room for its HMAC. News that do not fit are left out, the last first. */
export function encodeMessage(header: Header, message: Message): Buffer {
  const body = scratch.subarray(0, writeBody(message));
  return encodeEnvelope(MEMBERSHIP, header, KIND[message.kind], body);
}

function readName(bytes: Buffer, at: number): string | undefined {
  const end = at + 1 + (bytes[at] ?? 0);
  return end > at + 1 && end <= bytes.length ? bytes.toString("utf8", at + 1, end) : undefined;
}

function decodeNews(bytes: Buffer, from: number): readonly Age[] | undefined {
  const news: Age[] = [];
  for (let at = from; at < bytes.length;) {
    const id = readName(bytes, at);
    const rest = at + 1 + (bytes[at] ?? 0);
    if (id === undefined || rest + TAIL_BYTES > bytes.length) return undefined;
    news.push({
      id,
      incarnation: bytes.readUIntBE(rest, 6),
      sequence: bytes.readUIntBE(rest + 6, 6),
      ageMs: bytes.readUInt16BE(rest + 12),
    });
    at = rest + TAIL_BYTES;
  }
  return news;
}

/** What a datagram says whose header could be read; undefined when it is broken. */
export function decodeMessage(bytes: Buffer): Message | undefined {
  const { kind, body } = readBody(bytes);
  if (kind === KIND.leave) return body.length === 0 ? { kind: "leave" } : undefined;
  if (body.length < 6) return undefined;
  const nonce = body.readUIntBE(0, 6);
  if (kind === KIND.ask) {
    const target = readName(body, 6);
    const news = target === undefined ? undefined : decodeNews(body, 7 + (body[6] ?? 0));
    return target === undefined || news === undefined
      ? undefined
      : { kind: "ask", nonce, target, news };
  }
  const news = decodeNews(body, 6);
  if (news === undefined || (kind !== KIND.ping && kind !== KIND.ack)) return undefined;
  return { kind: kind === KIND.ping ? "ping" : "ack", nonce, news };
}
