// SPDX-License-Identifier: Apache-2.0
// What both halves of a DNS message share (RFC 1035, 6891): numbers, and names as they travel.
import { isIPv4, isIPv6 } from "node:net";
import { FairleadError } from "#base/errors.ts";
import { discoveryErrors } from "#discovery/errors.ts";

export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

export const CLASS_IN = 1;

export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  /** Above 15: its upper bits travel in the OPT record. */
  BADVERS: 16,
} as const;

export const FLAG = {
  QR: 0x8000,
  AA: 0x0400,
  TC: 0x0200,
  RD: 0x0100,
  RA: 0x0080,
  CD: 0x0010,
} as const;

export const HEADER_BYTES = 12;
/** What an answer over UDP may take when the question does not say more. */
export const UDP_BYTES = 512;
/** What travels unbroken nearly everywhere (DNS flag day 2020): never more over UDP. */
export const UDP_BYTES_MAX = 1_232;
export const TCP_BYTES_MAX = 65_535;
const LABEL_BYTES_MAX = 63;
const NAME_BYTES_MAX = 255;
/** Labels that are their own bytes; nearly all are. */
const PLAIN = /^[a-z0-9_-]*$/;

/**
 * A name as it travels, in lower case, one character a byte: `\x03web\x04shop\x00`. Names are compared and looked up
 * in this form, in which a dot inside of a label is no border.
 */
export type NameKey = string;

/** The key of a dotted name; a dot at its end does not matter. Throws `dns-name-unusable`. */
export function encodeName(name: string): NameKey {
  const trimmed = name.endsWith(".") ? name.slice(0, -1) : name;
  let key = "";
  for (const label of trimmed === "" ? [] : trimmed.toLowerCase().split(".")) {
    const bytes = PLAIN.test(label) ? label : Buffer.from(label, "utf8").toString("latin1");
    if (bytes.length === 0 || bytes.length > LABEL_BYTES_MAX) refuse(name);
    key += String.fromCharCode(bytes.length) + bytes;
  }
  if (key.length + 1 > NAME_BYTES_MAX) refuse(name);
  return `${key}\0`;
}

function refuse(name: string): never {
  throw new FairleadError(
    discoveryErrors["dns-name-unusable"],
    `${JSON.stringify(name)} cannot be a DNS name`,
  );
}

/** Dotted form for people and logs; bytes that could mislead a terminal are escaped as `\ddd`. */
export function decodeName(key: NameKey): string {
  const labels: string[] = [];
  for (let at = 0; at < key.length && key.charCodeAt(at) > 0; at += key.charCodeAt(at) + 1) {
    const label = key.slice(at + 1, at + 1 + key.charCodeAt(at));
    labels.push(
      // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
      label.replace(/[\x00-\x20.\\\x7f-\xff]/g, (char) => {
        return `\\${String(char.charCodeAt(0)).padStart(3, "0")}`;
      }),
    );
  }
  return labels.length === 0 ? "." : labels.join(".");
}

/** The name above: `\x03web\x04shop\x00` to `\x04shop\x00`; undefined for the root. */
export function parentOf(key: NameKey): NameKey | undefined {
  const length = key.charCodeAt(0);
  return length === 0 ? undefined : key.slice(length + 1);
}

/** True when `key` is `zone` or below it; a label that only contains the zone's bytes is not. */
export function isWithin(key: NameKey, zone: NameKey): boolean {
  if (!key.endsWith(zone)) return false;
  const border = key.length - zone.length;
  let at = 0;
  while (at < border) at += key.charCodeAt(at) + 1;
  return at === border;
}

/** The bytes of an IPv4 or IPv6 address. Throws `dns-address-unusable`. */
export function encodeAddress(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  if (!isIPv6(address) || address.includes("%")) {
    throw new FairleadError(
      discoveryErrors["dns-address-unusable"],
      `${JSON.stringify(address)} is no IP address`,
    );
  }
  const mixed = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  const tail = mixed === null ? undefined : Buffer.from((mixed[2] ?? "").split(".").map(Number));
  const plain =
    tail === undefined
      ? address
      : `${mixed?.[1] ?? ""}${tail.readUInt16BE(0).toString(16)}:${tail.readUInt16BE(2).toString(16)}`;
  const [head = "", back] = plain.split("::");
  const front = head === "" ? [] : head.split(":");
  const rest = back === undefined || back === "" ? [] : back.split(":");
  const zeros = back === undefined ? 0 : 8 - front.length - rest.length;
  const bytes = Buffer.alloc(16);
  [...front, ...Array<string>(zeros).fill("0"), ...rest].forEach((group, i) =>
    bytes.writeUInt16BE(Number.parseInt(group, 16), i * 2),
  );
  return bytes;
}

/** Where PTR records of an address stand: `5.0.0.10.in-addr.arpa`, or its nibbles below `ip6.arpa`. */
export function reverseName(address: Buffer): NameKey {
  if (address.length === 4) return encodeName(`${[...address].reverse().join(".")}.in-addr.arpa`);
  const nibbles = Array.from(address.toString("hex")).reverse().join(".");
  return encodeName(`${nibbles}.ip6.arpa`);
}
