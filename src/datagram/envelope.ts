// SPDX-License-Identifier: Apache-2.0
// What every datagram between hosts begins with: who sends it, and what shows that it is new and by somebody with the key.
// Pure, without keys or sockets. All numbers are big-endian.
//
//   0  magic and version       18  stamp, ms since 1970 (6 bytes)
//   4  kind                    24  HMAC-SHA-256 over everything else
//   5  length of the sender    56  sender, then what the kind says
//   6  incarnation (6 bytes)
//  12  sequence (6 bytes)

/** More would be broken up on the way. */
export const DATAGRAM_BYTES_MAX = 1_200;
export const MAC_AT = 24;
export const MAC_BYTES = 32;

const HEADER_BYTES = MAC_AT + MAC_BYTES;
const SENDER_BYTES_MAX = 63;

/** What tells the datagrams of one protocol from those of another that has the same key. */
export interface Protocol {
  /** First four bytes: three letters and a version. */
  readonly magic: number;
  /** Makes its HMACs differ from those of others. */
  readonly purpose: string;
  /** The largest datagram; `DATAGRAM_BYTES_MAX` unless said. */
  readonly bytesMax?: number;
}

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

/** A datagram with room for its HMAC, which is still zero. The caller keeps to `DATAGRAM_BYTES_MAX`. */
export function encodeEnvelope(
  { magic }: Protocol,
  header: Header,
  kind: number,
  body: Buffer,
): Buffer {
  const senderBytes = Buffer.byteLength(header.sender);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + senderBytes + body.length);
  bytes.fill(0, MAC_AT, HEADER_BYTES);
  bytes.writeUInt32BE(magic, 0);
  bytes.writeUInt8(kind, 4);
  bytes.writeUInt8(senderBytes, 5);
  bytes.writeUIntBE(header.incarnation, 6, 6);
  bytes.writeUIntBE(header.sequence, 12, 6);
  bytes.writeUIntBE(header.stampMs, 18, 6);
  bytes.write(header.sender, HEADER_BYTES);
  body.copy(bytes, HEADER_BYTES + senderBytes);
  return bytes;
}

/** Reads only the header, which is cheap; undefined for what is no datagram of this protocol. */
export function decodeHeader(
  { magic, bytesMax = DATAGRAM_BYTES_MAX }: Protocol,
  bytes: Buffer,
): Header | undefined {
  if (bytes.length < HEADER_BYTES || bytes.length > bytesMax) return undefined;
  if (bytes.readUInt32BE(0) !== magic) return undefined;
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

/** Of which protocol a datagram is, where several share a socket; undefined for what is too short to be one. */
export function readMagic(bytes: Buffer): number | undefined {
  return bytes.length < HEADER_BYTES ? undefined : bytes.readUInt32BE(0);
}

/** What follows the header of a datagram whose header could be read. */
export function readBody(bytes: Buffer): { readonly kind: number; readonly body: Buffer } {
  return { kind: bytes.readUInt8(4), body: bytes.subarray(HEADER_BYTES + bytes.readUInt8(5)) };
}
