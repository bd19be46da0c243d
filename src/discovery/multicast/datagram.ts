// SPDX-License-Identifier: Apache-2.0
// What travels: pure, without keys or sockets. All numbers are big-endian.
//
//   0  "FLD", version 1        18  stamp, ms since 1970 (6 bytes)
//   4  kind                    24  HMAC-SHA-256 over everything else
//   5  length of the sender    56  sender, then what the kind says
//   6  incarnation (6 bytes)
//  12  sequence (6 bytes)

/** More would be broken up on the way. */
export const DATAGRAM_BYTES_MAX = 1_200;
/** How much of a record one datagram carries: with the longest sender it still fits. */
export const PART_BYTES_MAX = 1_024;
export const PARTS_MAX = 64;
export const MAC_AT = 24;
export const MAC_BYTES = 32;
/** Slots named by one beat or one question. */
export const SLOTS_MAX = 130;
export const LAST_SLOT = 0xffff_ffff;

const HEADER_BYTES = MAC_AT + MAC_BYTES;
const MAGIC_AND_VERSION = 0x46_4c_44_01;
const SENDER_BYTES_MAX = 63;
const KIND = { beat: 1, part: 2, leave: 3, ask: 4 } as const;

export interface Header {
  /** Name of the node or agent that sends. */
  readonly sender: string;
  /** Grows each time the sender starts. */
  readonly incarnation: number;
  /** Grows with each datagram of an incarnation. */
  readonly sequence: number;
  /** The sender's wall clock. */
  readonly stampMs: number;
}

/** A record of the sender and how often it has changed. */
export interface SlotState {
  readonly slot: number;
  readonly revision: number;
}

export type Message =
  /** "I live", and which of my records with slots `from` to `until` there are: those not named are gone. */
  | {
      readonly kind: "beat";
      readonly intervalMs: number;
      readonly from: number;
      readonly until: number;
      readonly slots: readonly SlotState[];
    }
  /** A piece of a record as JSON. */
  | {
      readonly kind: "part";
      readonly slot: number;
      readonly revision: number;
      readonly part: number;
      readonly parts: number;
      readonly bytes: Buffer;
    }
  /** "I go." */
  | { readonly kind: "leave" }
  /** "Say again": to `target`, or to everybody when it is empty. Without slots only a beat is wanted. */
  | { readonly kind: "ask"; readonly target: string; readonly slots: readonly number[] };

function encodeMessage(message: Message): Buffer {
  switch (message.kind) {
    case "leave":
      return Buffer.alloc(0);
    case "beat": {
      const bytes = Buffer.alloc(12 + message.slots.length * 8);
      bytes.writeUInt32BE(message.intervalMs, 0);
      bytes.writeUInt32BE(message.from, 4);
      bytes.writeUInt32BE(message.until, 8);
      message.slots.forEach(({ slot, revision }, i) => {
        bytes.writeUInt32BE(slot, 12 + i * 8);
        bytes.writeUInt32BE(revision, 16 + i * 8);
      });
      return bytes;
    }
    case "part": {
      const head = Buffer.alloc(10);
      head.writeUInt32BE(message.slot, 0);
      head.writeUInt32BE(message.revision, 4);
      head.writeUInt8(message.part, 8);
      head.writeUInt8(message.parts, 9);
      return Buffer.concat([head, message.bytes]);
    }
    case "ask": {
      const target = Buffer.from(message.target, "utf8");
      const slots = Buffer.alloc(message.slots.length * 4);
      message.slots.forEach((slot, i) => slots.writeUInt32BE(slot, i * 4));
      return Buffer.concat([Buffer.from([target.length]), target, slots]);
    }
  }
}

/** A datagram with room for its HMAC, which is still zero. The caller keeps to the limits above. */
export function encodeDatagram(header: Header, message: Message): Buffer {
  const sender = Buffer.from(header.sender, "utf8");
  const body = encodeMessage(message);
  const bytes = Buffer.alloc(HEADER_BYTES + sender.length + body.length);
  bytes.writeUInt32BE(MAGIC_AND_VERSION, 0);
  bytes.writeUInt8(KIND[message.kind], 4);
  bytes.writeUInt8(sender.length, 5);
  bytes.writeUIntBE(header.incarnation, 6, 6);
  bytes.writeUIntBE(header.sequence, 12, 6);
  bytes.writeUIntBE(header.stampMs, 18, 6);
  sender.copy(bytes, HEADER_BYTES);
  body.copy(bytes, HEADER_BYTES + sender.length);
  return bytes;
}

/** Reads only the header, which is cheap; undefined for what is no datagram of this version. */
export function decodeHeader(bytes: Buffer): Header | undefined {
  if (bytes.length < HEADER_BYTES || bytes.length > DATAGRAM_BYTES_MAX) return undefined;
  if (bytes.readUInt32BE(0) !== MAGIC_AND_VERSION) return undefined;
  const end = HEADER_BYTES + bytes.readUInt8(5);
  if (end === HEADER_BYTES || end > HEADER_BYTES + SENDER_BYTES_MAX || end > bytes.length)
    return undefined;
  return {
    sender: bytes.toString("utf8", HEADER_BYTES, end),
    incarnation: bytes.readUIntBE(6, 6),
    sequence: bytes.readUIntBE(12, 6),
    stampMs: bytes.readUIntBE(18, 6),
  };
}

function decodeBeat(body: Buffer): Message | undefined {
  if (body.length < 12 || (body.length - 12) % 8 !== 0) return undefined;
  const slots: SlotState[] = [];
  for (let at = 12; at < body.length; at += 8)
    slots.push({ slot: body.readUInt32BE(at), revision: body.readUInt32BE(at + 4) });
  const intervalMs = body.readUInt32BE(0);
  return {
    kind: "beat",
    intervalMs,
    from: body.readUInt32BE(4),
    until: body.readUInt32BE(8),
    slots,
  };
}

function decodePart(body: Buffer): Message | undefined {
  if (body.length < 10) return undefined;
  const part = body.readUInt8(8);
  const parts = body.readUInt8(9);
  if (part >= parts || parts > PARTS_MAX) return undefined;
  const bytes = body.subarray(10);
  return {
    kind: "part",
    slot: body.readUInt32BE(0),
    revision: body.readUInt32BE(4),
    part,
    parts,
    bytes,
  };
}

function decodeAsk(body: Buffer): Message | undefined {
  const end = 1 + (body[0] ?? body.length);
  if (end > body.length || (body.length - end) % 4 !== 0) return undefined;
  const slots: number[] = [];
  for (let at = end; at < body.length; at += 4) slots.push(body.readUInt32BE(at));
  return { kind: "ask", target: body.toString("utf8", 1, end), slots };
}

/** What a datagram says whose header could be read; undefined when it is broken. */
export function decodeMessage(bytes: Buffer): Message | undefined {
  const body = bytes.subarray(HEADER_BYTES + bytes.readUInt8(5));
  switch (bytes.readUInt8(4)) {
    case KIND.beat:
      return decodeBeat(body);
    case KIND.part:
      return decodePart(body);
    case KIND.leave:
      return body.length === 0 ? { kind: "leave" } : undefined;
    case KIND.ask:
      return decodeAsk(body);
    default:
      return undefined;
  }
}
