// SPDX-License-Identifier: Apache-2.0
// Questions and answers as dns-packet writes and reads them: the other side of the tests.
import packet from "dns-packet";

export interface Asked {
  readonly type?: string;
  readonly class?: packet.RecordClass;
  readonly flags?: number;
  /** Bytes that the asking side says it takes. */
  readonly edns?: number;
  readonly id?: number;
}

export type Decoded = packet.DecodedPacket & { readonly rcode: string };

/** A question as bytes, with recursion wanted unless `flags` says otherwise. */
export function encodeQuestion(name: string, asked: Asked = {}): Buffer {
  const { type = "A", flags = 0x0100, edns, id = 4711 } = asked;
  const opt: packet.OptAnswer = {
    type: "OPT",
    name: ".",
    udpPayloadSize: edns ?? 0,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  return packet.encode({
    type: "query",
    id,
    flags,
    questions: [{ name, type: type as packet.RecordType, class: asked.class ?? "IN" }],
    additionals: edns === undefined ? [] : [opt],
  });
}

const RCODES = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];

/** An answer, decoded. Throws when it is none. */
export function decodeAnswer(bytes: Buffer): Decoded {
  const rcode = RCODES[bytes.readUInt8(3) & 15] ?? "other";
  return { ...packet.decode(bytes), rcode };
}

/** The data of each record that has data of its own. */
export function dataOf(records: readonly packet.Answer[] | undefined): unknown[] {
  return (records ?? []).map((record) => ("data" in record ? record.data : undefined));
}
