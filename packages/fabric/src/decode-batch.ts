// SPDX-License-Identifier: Apache-2.0
// A Batch read into frames. Everything in it comes from a stranger: each length is checked, each count bounded.
import { FabricError } from "./errors.ts";
import {
  OK,
  TAG,
  type CompressedBatch,
  type Frame,
  type Hello,
  type Open,
  type Status,
} from "./frame.ts";
import { HEADERS_BYTES_MAX, HEADERS_MAX } from "./headers.ts";
import { WireReader } from "./wire.ts";

function readMap(reader: WireReader, into: Record<string, string>, left: number): number {
  const length = reader.length();
  if (length > left) throw new FabricError("invalid_argument", "the headers are too large");
  const end = reader.position + length;
  let key = "";
  let value = "";
  const whole = reader.end;
  reader.end = end;
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x0a) key = reader.text();
    else if (tag === 0x12) value = reader.text();
    else reader.skip(tag);
  }
  reader.end = whole;
  Object.defineProperty(into, key, { value, enumerable: true, configurable: true, writable: true });
  return left - length;
}

/** Runs `field` over the fields of a nested message. */
function readMessage(reader: WireReader, field: (tag: number) => void): void {
  const length = reader.length();
  const whole = reader.end;
  reader.end = reader.position + length;
  while (reader.more) field(reader.varint());
  reader.end = whole;
}

function readOpen(reader: WireReader): Open {
  const open = {
    target: "",
    method: "",
    deadlineMs: 0,
    caller: "",
    hops: 0,
    idempotent: false,
    streams: false,
    proof: "",
  };
  readMessage(reader, (tag) => {
    if (tag === 0x0a) open.target = reader.text();
    else if (tag === 0x12) open.method = reader.text();
    else if (tag === 0x18) open.deadlineMs = reader.varint();
    else if (tag === 0x22) open.caller = reader.text();
    else if (tag === 0x28) open.hops = reader.varint();
    else if (tag === 0x30) open.idempotent = reader.varint() !== 0;
    else if (tag === 0x38) open.streams = reader.varint() !== 0;
    else if (tag === 0x42) open.proof = reader.text();
    else reader.skip(tag);
  });
  return open;
}

function readStatus(reader: WireReader): Status {
  const facts: Record<string, string> = {};
  const status = { ...OK, facts };
  let left = HEADERS_BYTES_MAX;
  readMessage(reader, (tag) => {
    if (tag === 0x08) status.code = reader.varint();
    else if (tag === 0x12) status.message = reader.text();
    else if (tag === 0x1a) status.reason = reader.text();
    else if (tag === 0x20) status.retryable = reader.varint() !== 0;
    else if (tag === 0x2a) left = readMap(reader, facts, left);
    else if (tag === 0x30) status.unbegun = reader.varint() !== 0;
    else reader.skip(tag);
  });
  return status;
}

function readHello(reader: WireReader): Hello {
  const encodings: number[] = [];
  const hello = {
    version: 0,
    id: "",
    name: "",
    scope: "",
    encodings,
    windowBytes: 0,
    payloadBytesMax: 0,
    ticket: "",
  };
  readMessage(reader, (tag) => {
    if (tag === 0x08) hello.version = reader.varint();
    else if (tag === 0x12) hello.id = reader.text();
    else if (tag === 0x1a) hello.name = reader.text();
    else if (tag === 0x22) hello.scope = reader.text();
    else if (tag === 0x28) encodings.push(reader.varint());
    else if (tag === 0x2a) readMessage(reader, (first) => readPacked(reader, first, encodings));
    else if (tag === 0x30) hello.windowBytes = reader.varint();
    else if (tag === 0x38) hello.payloadBytesMax = reader.varint();
    else if (tag === 0x42) hello.ticket = reader.text();
    else reader.skip(tag);
    if (encodings.length > 16) throw new FabricError("invalid_argument", "too many encodings");
  });
  return hello;
}

/** Repeated numbers may come packed; each was read as if it were a tag. */
function readPacked(reader: WireReader, first: number, into: number[]): void {
  into.push(first);
  while (reader.more && into.length <= 16) into.push(reader.varint());
}

function readFrame(reader: WireReader): Frame {
  let kind = 0;
  let conversation = 0;
  let payload: Buffer | undefined;
  let credit = 0;
  let open: Open | undefined;
  let status: Status | undefined;
  let hello: Hello | undefined;
  let headers: Record<string, string> | undefined;
  let left = HEADERS_BYTES_MAX;
  let count = 0;
  while (reader.more) {
    const tag = reader.varint();
    if (tag === TAG.conversation) conversation = reader.varint();
    else if (tag === TAG.payload) payload = reader.blob();
    else if (tag === TAG.kind) kind = reader.varint();
    else if (tag === TAG.credit) credit = reader.varint();
    else if (tag === TAG.open) open = readOpen(reader);
    else if (tag === TAG.status) status = readStatus(reader);
    else if (tag === TAG.hello) hello = readHello(reader);
    else if (tag === TAG.headers) {
      if (++count > HEADERS_MAX) throw new FabricError("invalid_argument", "too many headers");
      left = readMap(reader, (headers ??= {}), left);
    } else reader.skip(tag);
  }
  return { kind, conversation, payload, credit, open, status, hello, headers };
}

/**
 * Reads a batch, giving each frame to `visit` in order; payloads are views into `bytes`. Returns what is compressed, for the
 * caller to decompress and read. Throws `invalid_argument` for what is malformed; frames before it have been given.
 */
export function readBatch(
  bytes: Buffer,
  visit: (frame: Frame) => void,
): CompressedBatch | undefined {
  const reader = new WireReader(bytes);
  let compressed: Buffer | undefined;
  let encoding = 0;
  let sizeBytes = 0;
  while (reader.more) {
    const tag = reader.varint();
    if (tag === TAG.frames) {
      const length = reader.length();
      const whole = reader.end;
      reader.end = reader.position + length;
      const frame = readFrame(reader);
      reader.end = whole;
      visit(frame);
    } else if (tag === TAG.compressed) compressed = reader.blob();
    else if (tag === TAG.encoding) encoding = reader.varint();
    else if (tag === TAG.size) sizeBytes = reader.varint();
    else reader.skip(tag);
  }
  return compressed === undefined ? undefined : { bytes: compressed, encoding, sizeBytes };
}
