// SPDX-License-Identifier: Apache-2.0
// Frames as bytes of a Batch.
import {
  TAG,
  type CompressedBatch,
  type Frame,
  type Headers,
  type Hello,
  type Open,
  type Status,
} from "./frame.ts";
import { sizeVarint, WireWriter } from "./wire.ts";

const FIELD_OVERHEAD = 11;

/** Bytes of the fixed part of an ITEM in a batch: everything but its payload. */
export function sizeItemHead(conversation: number, payloadBytes: number): number {
  const inner = itemHead(conversation, payloadBytes);
  return 1 + sizeVarint(inner + payloadBytes) + inner;
}

function itemHead(conversation: number, payloadBytes: number): number {
  return 1 + sizeVarint(conversation) + 1 + sizeVarint(payloadBytes);
}

/** Writes the head of an ITEM without headers; the payload has to follow. The hot path. */
export function writeItemHead(
  writer: WireWriter,
  conversation: number,
  payloadBytes: number,
): void {
  writer.bytes[writer.position++] = TAG.frames;
  writer.varint(itemHead(conversation, payloadBytes) + payloadBytes);
  writer.bytes[writer.position++] = TAG.conversation;
  writer.varint(conversation);
  writer.bytes[writer.position++] = TAG.payload;
  writer.varint(payloadBytes);
}

function textBytes(value: string): number {
  return value === "" ? 0 : Buffer.byteLength(value, "utf8");
}

function encodeMap(writer: WireWriter, tag: number, map: Headers): void {
  for (const [key, value] of Object.entries(map)) {
    const [keyBytes, valueBytes] = [textBytes(key), textBytes(value)];
    const keySize = keyBytes === 0 ? 0 : 1 + sizeVarint(keyBytes) + keyBytes;
    const valueSize = valueBytes === 0 ? 0 : 1 + sizeVarint(valueBytes) + valueBytes;
    writer.bytes[writer.position++] = tag;
    writer.varint(keySize + valueSize);
    writer.text(0x0a, key, keyBytes);
    writer.text(0x12, value, valueBytes);
  }
}

/** An upper bound of the bytes that a map takes. */
function boundMap(map: Headers | undefined): number {
  if (map === undefined) return 0;
  let size = 0;
  for (const [key, value] of Object.entries(map))
    size += 3 * FIELD_OVERHEAD + 3 * (key.length + value.length);
  return size;
}

function boundText(...texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + FIELD_OVERHEAD + 3 * text.length, 0);
}

/** An upper bound of the bytes that a frame takes without its payload. */
export function boundFrame(frame: Frame): number {
  const { open, status, hello } = frame;
  let size = 6 * FIELD_OVERHEAD + boundMap(frame.headers);
  if (open !== undefined)
    size += 8 * FIELD_OVERHEAD + boundText(open.target, open.method, open.caller, open.proof);
  if (status !== undefined)
    size += 6 * FIELD_OVERHEAD + boundText(status.message, status.reason) + boundMap(status.facts);
  if (hello !== undefined)
    size +=
      (8 + hello.encodings.length) * FIELD_OVERHEAD +
      boundText(hello.id, hello.name, hello.scope, hello.ticket);
  return size;
}

function encodeOpen(writer: WireWriter, open: Open): void {
  writer.text(0x0a, open.target, textBytes(open.target));
  writer.text(0x12, open.method, textBytes(open.method));
  writer.number(0x18, open.deadlineMs);
  writer.text(0x22, open.caller, textBytes(open.caller));
  writer.number(0x28, open.hops);
  writer.number(0x30, open.idempotent ? 1 : 0);
  writer.number(0x38, open.streams ? 1 : 0);
  writer.text(0x42, open.proof, textBytes(open.proof));
}

function encodeStatus(writer: WireWriter, status: Status): void {
  writer.number(0x08, status.code);
  writer.text(0x12, status.message, textBytes(status.message));
  writer.text(0x1a, status.reason, textBytes(status.reason));
  writer.number(0x20, status.retryable ? 1 : 0);
  encodeMap(writer, 0x2a, status.facts);
  writer.number(0x30, status.unbegun ? 1 : 0);
}

function encodeHello(writer: WireWriter, hello: Hello): void {
  writer.number(0x08, hello.version);
  writer.text(0x12, hello.id, textBytes(hello.id));
  writer.text(0x1a, hello.name, textBytes(hello.name));
  writer.text(0x22, hello.scope, textBytes(hello.scope));
  for (const encoding of hello.encodings) writer.number(0x28, encoding);
  writer.number(0x30, hello.windowBytes);
  writer.number(0x38, hello.payloadBytesMax);
  writer.text(0x42, hello.ticket, textBytes(hello.ticket));
}

/** Encodes what `encode` writes as a message field. */
function encodeMessage(writer: WireWriter, tag: number, encode: (inner: WireWriter) => void): void {
  const inner = new WireWriter(Buffer.allocUnsafe(writer.bytes.length - writer.position));
  encode(inner);
  writer.blob(tag, inner.bytes.subarray(0, inner.position));
}

/**
 * Encodes a frame of a batch. The payload is written when `inline`, else only its length: the caller sends the payload
 * right after, so that a large one is never copied.
 */
export function encodeFrame(frame: Frame, inline: boolean): Buffer {
  const { payload, open, status, hello, headers } = frame;
  const bound = boundFrame(frame);
  const inner = new WireWriter(
    Buffer.allocUnsafe(2 * bound + (inline ? (payload?.length ?? 0) : 0)),
  );
  inner.number(TAG.kind, frame.kind);
  inner.number(TAG.conversation, frame.conversation);
  inner.number(TAG.credit, frame.credit);
  if (open !== undefined) encodeMessage(inner, TAG.open, (writer) => encodeOpen(writer, open));
  if (status !== undefined)
    encodeMessage(inner, TAG.status, (writer) => encodeStatus(writer, status));
  if (hello !== undefined) encodeMessage(inner, TAG.hello, (writer) => encodeHello(writer, hello));
  if (headers !== undefined) encodeMap(inner, TAG.headers, headers);
  if (payload !== undefined) {
    inner.bytes[inner.position++] = TAG.payload;
    inner.varint(payload.length);
    if (inline) {
      inner.bytes.set(payload, inner.position);
      inner.position += payload.length;
    }
  }
  const follows = payload === undefined || inline ? 0 : payload.length;
  const outer = new WireWriter(Buffer.allocUnsafe(inner.position + FIELD_OVERHEAD));
  outer.bytes[outer.position++] = TAG.frames;
  outer.varint(inner.position + follows);
  outer.bytes.set(inner.bytes.subarray(0, inner.position), outer.position);
  return outer.bytes.subarray(0, outer.position + inner.position);
}

/** Encodes a batch whose frames are compressed. */
export function encodeCompressed(batch: CompressedBatch): Buffer {
  const writer = new WireWriter(Buffer.allocUnsafe(batch.bytes.length + 4 * FIELD_OVERHEAD));
  writer.blob(TAG.compressed, batch.bytes);
  writer.number(TAG.encoding, batch.encoding);
  writer.number(TAG.size, batch.sizeBytes);
  return writer.bytes.subarray(0, writer.position);
}
