// SPDX-License-Identifier: Apache-2.0
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

/** All addresses in A and AAAA records of an answer, whichever part they stand in; undefined when it is broken. */
export function findAddresses(answer: Buffer): readonly string[] | undefined {
  if (answer.length < HEADER_BYTES || answer.readUInt16BE(4) !== 1) return undefined;
  const addresses: string[] = [];
  const count = answer.readUInt16BE(6) + answer.readUInt16BE(8) + answer.readUInt16BE(10);
  const questionEnd = skipName(answer, HEADER_BYTES, false);
  let at = questionEnd < 0 ? -1 : questionEnd + 4;
  for (let i = 0; i < count; i++) {
    at = at < 0 ? -1 : skipName(answer, at, true);
    if (at < 0 || at + RECORD_BYTES > answer.length) return undefined;
    const type = answer.readUInt16BE(at);
    const from = at + RECORD_BYTES;
    at = from + answer.readUInt16BE(at + 8);
    if (at > answer.length) return undefined;
    const isAddress = type === TYPE.A ? at - from === 4 : type === TYPE.AAAA && at - from === 16;
    if (isAddress) addresses.push(formatAddress(answer.subarray(from, at)));
  }
  return at < 0 ? undefined : addresses;
}
