// SPDX-License-Identifier: Apache-2.0
import type { AnsweredAddress } from "./askers.ts";
import { skipName } from "./read-query.ts";
import { HEADER_BYTES, TYPE } from "./wire.ts";

const RECORD_BYTES = 10;

/** IPv6 as eight groups; an IPv4 address inside of one is taken out. */
function formatAddress(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join(".");
  const isMapped =
    bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff;
  if (isMapped) return [...bytes.subarray(12)].join(".");
  return Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16)).join(":");
}

/** A name that leads to a name that leads to a name: no more than so many. */
const LINKS_MAX = 16;

/**
 * Addresses that the answer part gives to who asked, each good for as long as every name on the way to it; undefined when
 * the answer is broken or the way too long.
 */
export function readAnswered(answer: Buffer): readonly AnsweredAddress[] | undefined {
  const records = readRecords(answer, "answers");
  if (records === undefined) return undefined;
  const links = records.filter(({ type }) => type === TYPE.CNAME).length;
  if (links > LINKS_MAX) return undefined;
  const ttlSeconds = Math.min(...records.map((record) => record.ttlSeconds));
  return records.flatMap(({ address }) => (address === undefined ? [] : [{ address, ttlSeconds }]));
}

/** All addresses in A and AAAA records of an answer, whichever part they stand in; undefined when it is broken. */
export function findAddresses(answer: Buffer): readonly string[] | undefined {
  return readRecords(answer, "all")?.flatMap(({ address }) => address ?? []);
}

interface FoundRecord {
  readonly type: number;
  readonly ttlSeconds: number;
  readonly address: string | undefined;
}

function readRecords(answer: Buffer, part: "answers" | "all"): readonly FoundRecord[] | undefined {
  if (answer.length < HEADER_BYTES || answer.readUInt16BE(4) !== 1) return undefined;
  const found: FoundRecord[] = [];
  const others = part === "all" ? answer.readUInt16BE(8) + answer.readUInt16BE(10) : 0;
  const count = answer.readUInt16BE(6) + others;
  const questionEnd = skipName(answer, HEADER_BYTES, false);
  let at = questionEnd < 0 ? -1 : questionEnd + 4;
  for (let i = 0; i < count; i++) {
    at = at < 0 ? -1 : skipName(answer, at, true);
    if (at < 0 || at + RECORD_BYTES > answer.length) return undefined;
    const type = answer.readUInt16BE(at);
    const ttl = answer.readUInt32BE(at + 4);
    const from = at + RECORD_BYTES;
    at = from + answer.readUInt16BE(at + 8);
    if (at > answer.length) return undefined;
    const isAddress = type === TYPE.A ? at - from === 4 : type === TYPE.AAAA && at - from === 16;
    const address = isAddress ? formatAddress(answer.subarray(from, at)) : undefined;
    // With the highest bit it means 0 (RFC 2181).
    found.push({ type, ttlSeconds: ttl > 0x7fff_ffff ? 0 : ttl, address });
  }
  return at < 0 ? undefined : found;
}
