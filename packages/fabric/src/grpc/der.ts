// SPDX-License-Identifier: Apache-2.0
// DER as far as it is read here: elements that stand one after the other, lists of certificates that are believed no more, and what
// a certificate's key may do.
import { FabricError } from "@fairlead/fabric/errors.ts";

interface Element {
  readonly tag: number;
  /** With its tag and length. */
  readonly bytes: Buffer;
  readonly value: Buffer;
}

const TAG = {
  integer: 0x02,
  sequence: 0x30,
  utcTime: 0x17,
  generalizedTime: 0x18,
  /** Of a certificate. */
  extensions: 0xa3,
} as const;
/** `2.5.29.15` */
const KEY_USAGE = Buffer.from("0603551d0f", "hex");
/** Bits keyCertSign and cRLSign in the first byte of KeyUsage, which stands after the count of bits that do not count. */
const SIGNING = 0x06;

function malformed(what: string): FabricError {
  return new FabricError("invalid_argument", `that is no ${what}`, { reason: "malformed" });
}

/** Throws `invalid_argument` for bytes that are not DER of short tags. */
function readElements(bytes: Buffer, what: string): readonly Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at] ?? 0;
    const first = bytes[at + 1] ?? 0;
    const countBytes = first < 0x80 ? 0 : first & 0x7f;
    if (countBytes > 4 || at + 2 + countBytes > bytes.length) throw malformed(what);
    const length = countBytes === 0 ? first : bytes.readUIntBE(at + 2, countBytes);
    const begin = at + 2 + countBytes;
    const end = begin + length;
    if (end > bytes.length) throw malformed(what);
    elements.push({ tag, bytes: bytes.subarray(at, end), value: bytes.subarray(begin, end) });
    at = end;
  }
  return elements;
}

/** Certificates that stand one after the other. Throws `invalid_argument` for bytes that are none. */
export function splitDer(bytes: Buffer): readonly Buffer[] {
  const elements = readElements(bytes, "identity");
  if (elements.some(({ tag }) => tag !== TAG.sequence)) throw malformed("identity");
  return elements.map((element) => element.bytes);
}

/** A serial number as it is compared: hexadecimal, small, without zeros before it. */
export function formatSerial(text: string): string {
  return text.toLowerCase().replace(/^0+(?=.)/, "");
}

/**
 * Serials in an X.509 list of revoked certificates (RFC 5280, 5.1). Its signature is not checked: it comes from where the
 * authorities come from that are believed. Throws `invalid_argument` for what is none.
 */
export function readRevokedSerials(der: Buffer): readonly string[] {
  const what = "list of revoked certificates";
  const inside = (bytes: Buffer | undefined): readonly Element[] =>
    readElements(bytes ?? Buffer.alloc(0), what);
  const [list] = inside(der);
  const [signed] = inside(list?.value);
  if (signed === undefined) throw malformed(what);
  const fields = inside(signed.value);
  const isTime = ({ tag }: Element): boolean => tag === TAG.utcTime || tag === TAG.generalizedTime;
  const times = fields.findIndex(isTime);
  if (times < 0) throw malformed(what);
  // After the times: entries where there are any, and extensions, which have another tag.
  const entries = fields.slice(times).find(({ tag }) => tag === TAG.sequence);
  return inside(entries?.value).map(({ value }) => {
    const [serial] = inside(value);
    if (serial?.tag !== TAG.integer) throw malformed(what);
    return formatSerial(serial.value.toString("hex"));
  });
}

/** Whether a certificate (RFC 5280, 4.1) says that its key signs certificates or lists. Throws `invalid_argument` for what is none. */
export function maySign(der: Buffer): boolean {
  const inside = (bytes: Buffer | undefined): readonly Element[] =>
    readElements(bytes ?? Buffer.alloc(0), "certificate");
  const [certificate] = inside(der);
  const [signed] = inside(certificate?.value);
  const all = inside(signed?.value).find(({ tag }) => tag === TAG.extensions);
  const [list] = inside(all?.value);
  return inside(list?.value).some(({ value }) => {
    const parts = inside(value);
    if (parts[0]?.bytes.equals(KEY_USAGE) !== true) return false;
    const [bits] = inside(parts.at(-1)?.value);
    return ((bits?.value[1] ?? 0) & SIGNING) !== 0;
  });
}
