// SPDX-License-Identifier: Apache-2.0
// The part of the protobuf encoding that fabric.proto needs (https://protobuf.dev/programming-guides/encoding/).
// By hand: generated codecs made one object and several copies a message and reached a fifth of the speed.
import { FabricError } from "./errors.ts";

const UINT32_MAX = 0xffff_ffff;

/** Bytes that `value` takes as a varint. Non-negative integers up to 2^53. */
export function sizeVarint(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  if (value < 0x1000_0000) return 4;
  let size = 5;
  for (let rest = value / 0x8_0000_0000; rest >= 1; rest /= 128) size++;
  return size;
}

/** Writes protobuf fields one after another into a buffer that its owner has made large enough. */
export class WireWriter {
  bytes: Buffer;
  position: number;

  constructor(bytes: Buffer, position = 0) {
    this.bytes = bytes;
    this.position = position;
  }

  varint(value: number): void {
    const { bytes } = this;
    let { position } = this;
    let rest = value;
    while (rest > UINT32_MAX) {
      bytes[position++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 0x80) {
      bytes[position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[position++] = rest;
    this.position = position;
  }

  /** A varint field; left out when 0, as proto3 does. */
  number(tag: number, value: number): void {
    if (value === 0) return;
    this.bytes[this.position++] = tag;
    this.varint(value);
  }

  /** A length-delimited field; written even when empty. */
  blob(tag: number, value: Uint8Array): void {
    this.bytes[this.position++] = tag;
    this.varint(value.length);
    this.bytes.set(value, this.position);
    this.position += value.length;
  }

  /** A string field whose UTF-8 size is known; left out when empty. */
  text(tag: number, value: string, sizeBytes: number): void {
    if (sizeBytes === 0) return;
    this.bytes[this.position++] = tag;
    this.varint(sizeBytes);
    this.bytes.write(value, this.position, sizeBytes, "utf8");
    this.position += sizeBytes;
  }
}

function malformed(message: string): FabricError {
  return new FabricError("invalid_argument", message, { reason: "malformed" });
}

/** Reads protobuf fields out of bytes; every length is checked before it is used. */
export class WireReader {
  readonly bytes: Buffer;
  position: number;
  end: number;

  constructor(bytes: Buffer, position = 0, end = bytes.length) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
  }

  get more(): boolean {
    return this.position < this.end;
  }

  /** A varint up to 2^53; larger ones are malformed here, since nothing in the protocol is. */
  varint(): number {
    const { bytes, end } = this;
    let { position } = this;
    let byte = position < end ? (bytes[position++] ?? 0) : this.#cut();
    if (byte < 0x80) {
      this.position = position;
      return byte;
    }
    let value = byte & 0x7f;
    let factor = 128;
    for (let count = 1; count < 10; count++) {
      byte = position < end ? (bytes[position++] ?? 0) : this.#cut();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw malformed("a number is too large");
        this.position = position;
        return value;
      }
      factor *= 128;
    }
    throw malformed("a number does not end");
  }

  /** Length of the field that follows, checked against what is there. */
  length(): number {
    const length = this.varint();
    if (length > this.end - this.position) throw malformed("a field is longer than its message");
    return length;
  }

  /** A view into the bytes; nothing is copied. */
  blob(): Buffer {
    const length = this.length();
    const from = this.position;
    this.position = from + length;
    return this.bytes.subarray(from, this.position);
  }

  text(): string {
    const length = this.length();
    const from = this.position;
    this.position = from + length;
    return this.bytes.toString("utf8", from, this.position);
  }

  /** Passes over a field that is not known. */
  skip(tag: number): void {
    const wireType = tag & 7;
    if (wireType === 0) this.varint();
    else if (wireType === 2) this.#advance(this.length());
    else if (wireType === 5 || wireType === 1) this.#advance(wireType === 5 ? 4 : 8);
    else throw malformed(`wire type ${wireType} is not in use`);
  }

  #advance(count: number): void {
    if (count > this.end - this.position) this.#cut();
    this.position += count;
  }

  #cut(): never {
    throw malformed("the message is cut short");
  }
}
