// SPDX-License-Identifier: Apache-2.0
// What the members of discovery tell each other, in the envelope that all datagrams between hosts have. Pure.
import { encodeEnvelope, readBody, type Header, type Protocol } from "#datagram/envelope.ts";

/** "FLD", version 1. */
export const DISCOVERY: Protocol = {
  magic: 0x46_4c_44_01,
  purpose: "fairlead multicast discovery 1",
};
/** How much of a record one datagram carries: with the longest sender it still fits. */
export const PART_BYTES_MAX = 1_024;
export const PARTS_MAX = 64;
/** Slots named by one beat or one question. */
export const SLOTS_MAX = 130;
export const LAST_SLOT = 0xffff_ffff;

const KIND = { beat: 1, part: 2, leave: 3, ask: 4 } as const;

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
  return encodeEnvelope(DISCOVERY, header, KIND[message.kind], encodeMessage(message));
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
  const { kind, body } = readBody(bytes);
  switch (kind) {
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
