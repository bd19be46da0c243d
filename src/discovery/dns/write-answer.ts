// SPDX-License-Identifier: Apache-2.0
// Answers as bytes. Whatever happens an answer has the question as it came, letter case included (0x20).
import type { Query } from "./read-query.ts";
import type { NameKey } from "./wire.ts";
import { CLASS_IN, FLAG, HEADER_BYTES, TYPE, UDP_BYTES_MAX } from "./wire.ts";

/** A record to write. `owner` undefined is the name in the question. */
export interface AnswerRecord {
  readonly owner: NameKey | undefined;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly bytes: Buffer;
}

export interface AnswerParts {
  readonly rcode: number;
  /** Flags besides QR and those that are copied from the question. */
  readonly flags?: number;
  readonly answer?: readonly AnswerRecord[];
  readonly authority?: readonly AnswerRecord[];
  /** Records that only save a question; left out where there is no room. */
  readonly additional?: readonly AnswerRecord[];
}

const FIXED_BYTES = 10;
const OPT_BYTES = 11;
/** Points to the name in the question. */
const QUESTION_POINTER = 0xc000 | HEADER_BYTES;

/** A header and nothing else: for what could not be read far enough to be repeated. */
export function writeRefusal(id: number, flags: number, rcode: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt16BE(FLAG.QR | (flags & (0x7800 | FLAG.RD)) | rcode, 2);
  return bytes;
}

function writeRecord(bytes: Buffer, at: number, record: AnswerRecord): number {
  if (record.owner === undefined) at = bytes.writeUInt16BE(QUESTION_POINTER, at);
  else at += bytes.write(record.owner, at, "latin1");
  at = bytes.writeUInt16BE(record.type, at);
  at = bytes.writeUInt16BE(CLASS_IN, at);
  at = bytes.writeUInt32BE(record.ttlSeconds, at);
  at = bytes.writeUInt16BE(record.bytes.length, at);
  return at + record.bytes.copy(bytes, at);
}

function measure(record: AnswerRecord): number {
  return (record.owner?.length ?? 2) + FIXED_BYTES + record.bytes.length;
}

function writeOpt(bytes: Buffer, at: number, query: Query, rcode: number): void {
  at = bytes.writeUInt8(0, at);
  at = bytes.writeUInt16BE(TYPE.OPT, at);
  at = bytes.writeUInt16BE(UDP_BYTES_MAX, at);
  // Upper bits of the code, version 0, and the DNSSEC flag as it came (RFC 3225).
  at = bytes.writeUInt32BE(((rcode >> 4) << 24) | (query.edns?.dnssecOk === true ? 0x8000 : 0), at);
  bytes.writeUInt16BE(0, at);
}

/** How many of the records fit into `room`, and what they take. */
function fit(records: readonly AnswerRecord[], room: number): { count: number; used: number } {
  let used = 0;
  let count = 0;
  for (const record of records) {
    const size = measure(record);
    if (used + size > room) break;
    used += size;
    count++;
  }
  return { count, used };
}

/**
 * An answer of at most `sizeMax` bytes. When not all of the answer fits it is cut between records and says so (TC), so
 * that the asking side comes back over TCP; one that does not still has what fits.
 */
export function writeAnswer(query: Query, parts: AnswerParts, sizeMax: number): Buffer {
  const { rcode, flags = 0, answer = [], authority = [], additional = [] } = parts;
  const optBytes = query.edns === undefined ? 0 : OPT_BYTES;
  let room = sizeMax - HEADER_BYTES - query.question.length - optBytes;
  const fits = [answer, authority, additional].map((records) => {
    const { count, used } = fit(records, room);
    room -= used;
    return records.slice(0, count);
  });
  const [answers = [], authorities = [], additionals = []] = fits;
  const cut = answers.length < answer.length || authorities.length < authority.length;
  const bytes = Buffer.allocUnsafe(sizeMax - room);
  bytes.writeUInt16BE(query.id, 0);
  const copied = query.flags & (0x7800 | FLAG.RD | FLAG.CD);
  bytes.writeUInt16BE(FLAG.QR | copied | flags | (cut ? FLAG.TC : 0) | (rcode & 15), 2);
  bytes.writeUInt16BE(1, 4);
  bytes.writeUInt16BE(answers.length, 6);
  bytes.writeUInt16BE(authorities.length, 8);
  bytes.writeUInt16BE(additionals.length + (optBytes > 0 ? 1 : 0), 10);
  query.question.copy(bytes, HEADER_BYTES);
  let at = HEADER_BYTES + query.question.length;
  for (const records of fits) {
    for (const record of records) at = writeRecord(bytes, at, record);
  }
  if (optBytes > 0) writeOpt(bytes, at, query, rcode);
  return bytes;
}
