// SPDX-License-Identifier: Apache-2.0
// Bytes from anybody to a question, or to the reason why it is none. Reads forward only: a name in a question may not
// be compressed, and of the other records' names only the end is looked for, so no pointer is ever followed.
import { FLAG, HEADER_BYTES, RCODE, TYPE, type NameKey } from "./wire.ts";

/** What the asking side can do, from its OPT record. */
export interface Edns {
  readonly sizeBytes: number;
  readonly version: number;
  readonly dnssecOk: boolean;
}

export interface Query {
  readonly id: number;
  /** The flags as they came. */
  readonly flags: number;
  readonly name: NameKey;
  readonly type: number;
  readonly class: number;
  /** Name, type and class as they came, letter case included: an answer repeats them. */
  readonly question: Buffer;
  readonly edns: Edns | undefined;
}

/** `query` is a question; `refused` is answered with that code and nothing else; `noise` is not answered at all. */
export type Reading =
  | { readonly kind: "query"; readonly query: Query }
  | {
      readonly kind: "refused";
      readonly id: number;
      readonly flags: number;
      readonly rcode: number;
    }
  | { readonly kind: "noise" };

const NOISE: Reading = { kind: "noise" };
const NAME_BYTES_MAX = 255;
const RECORD_BYTES = 10;
const TSIG = 250;

/** Offset after the name at `at`, -1 when it is cut off, too long or has a label of an unknown kind. */
export function skipName(bytes: Buffer, at: number, pointers: boolean): number {
  const start = at;
  while (true) {
    const length = bytes[at];
    if (length === undefined) return -1;
    if (length === 0) return at + 1 - start > NAME_BYTES_MAX ? -1 : at + 1;
    if (length >= 0xc0) return pointers && at + 1 < bytes.length ? at + 2 : -1;
    if (length > 63) return -1;
    at += length + 1;
  }
}

/** The OPT record of the additional section; "bad" when records are cut off, doubled, or followed by anything. */
function readEdns(bytes: Buffer, from: number, count: number): Edns | undefined | "bad" {
  let edns: Edns | undefined;
  let at = from;
  for (let i = 0; i < count; i++) {
    const isRoot = bytes[at] === 0;
    at = skipName(bytes, at, true);
    if (at < 0 || at + RECORD_BYTES > bytes.length) return "bad";
    const type = bytes.readUInt16BE(at);
    if (type === TYPE.OPT) {
      if (edns !== undefined || !isRoot) return "bad";
      edns = {
        sizeBytes: bytes.readUInt16BE(at + 2),
        version: bytes.readUInt8(at + 5),
        dnssecOk: (bytes.readUInt16BE(at + 6) & 0x8000) !== 0,
      };
    } else if (type === TSIG && i !== count - 1) {
      return "bad";
    }
    const lengthBytes = bytes.readUInt16BE(at + 8);
    at += RECORD_BYTES + lengthBytes;
    if (at > bytes.length) return "bad";
  }
  return at === bytes.length ? edns : "bad";
}

/** Reads one message. Never throws, and takes time in proportion to its length. */
export function readQuery(bytes: Buffer): Reading {
  if (bytes.length < HEADER_BYTES) return NOISE;
  const id = bytes.readUInt16BE(0);
  const flags = bytes.readUInt16BE(2);
  // Answers are never answered: two servers could go on for ever.
  if ((flags & FLAG.QR) !== 0) return NOISE;
  const refuse = (rcode: number): Reading => ({ kind: "refused", id, flags, rcode });
  if ((flags & 0x7800) !== 0) return refuse(RCODE.NOTIMP);
  if (bytes.readUInt16BE(4) !== 1) return refuse(RCODE.FORMERR);
  const nameEnd = skipName(bytes, HEADER_BYTES, false);
  if (nameEnd < 0 || nameEnd + 4 > bytes.length) return refuse(RCODE.FORMERR);
  const type = bytes.readUInt16BE(nameEnd);
  const others = bytes.readUInt16BE(6) + bytes.readUInt16BE(8);
  // A request for a part of a zone carries a record of its own; it is refused for what it asks.
  if (others !== 0) return refuse(type === TYPE.IXFR ? RCODE.REFUSED : RCODE.FORMERR);
  const edns = readEdns(bytes, nameEnd + 4, bytes.readUInt16BE(10));
  if (edns === "bad") return refuse(RCODE.FORMERR);
  return {
    kind: "query",
    query: {
      id,
      flags,
      name: bytes.toString("latin1", HEADER_BYTES, nameEnd).toLowerCase(),
      type,
      class: bytes.readUInt16BE(nameEnd + 2),
      question: bytes.subarray(HEADER_BYTES, nameEnd + 4),
      edns,
    },
  };
}
