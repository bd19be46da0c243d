// SPDX-License-Identifier: Apache-2.0
// Frames as somebody with a raw socket makes them: with whatever sender he likes.
import { parseAddress } from "#base/addresses.ts";

/** MACs of a frame. */
export interface Link {
  readonly from: string;
  readonly to: string;
}

/** A datagram. */
export interface Datagram {
  readonly from: string;
  readonly to: string;
  /** Of the one that is called; at the other end nobody listens. */
  readonly port: number;
  readonly payload: Buffer;
}

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const ARP = 0x0806;
const ICMP = 1;
const TCP = 6;
const UDP = 17;
const GRE = 47;
const SCTP = 132;
const ICMP6 = 58;
const CALLER_PORT = 40_000;
const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
/** More of them follow. */
const MORE = 0x2000;

const macOf = (text: string): Buffer => Buffer.from(text.replaceAll(":", ""), "hex");

function addressOf(text: string): Buffer {
  const parsed = parseAddress(text);
  const digits = parsed?.family === 4 ? 8 : 32;
  return Buffer.from((parsed?.value ?? 0n).toString(16).padStart(digits, "0"), "hex");
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function checksum(...parts: readonly Buffer[]): number {
  const bytes = Buffer.concat([
    ...parts,
    Buffer.alloc(parts.reduce((n, p) => n + p.length, 0) % 2),
  ]);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Any frame. */
export function ethernet({ from, to }: Link, type: number, payload: Buffer): Buffer {
  return Buffer.concat([macOf(to), macOf(from), word(type), payload]);
}

/** The inside of a frame of VLAN 7 with what another frame carries. */
export function vlan(frame: Buffer): Buffer {
  return Buffer.concat([word(7), frame.subarray(12)]);
}

function ipv4(from: string, to: string, payload: Buffer, offset = 0, protocol = UDP): Buffer {
  const header = Buffer.alloc(IPV4_BYTES);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(IPV4_BYTES + payload.length, 2);
  header.writeUInt16BE(0x4242, 4);
  header.writeUInt16BE(offset, 6);
  header.writeUInt8(64, 8);
  header.writeUInt8(protocol, 9);
  addressOf(from).copy(header, 12);
  addressOf(to).copy(header, 16);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, payload]);
}

function ipv6(from: string, to: string, next: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(payload.length, 4);
  header.writeUInt8(next, 6);
  header.writeUInt8(255, 7);
  return Buffer.concat([header, addressOf(from), addressOf(to), payload]);
}

const udp = ({ port, payload }: Datagram): Buffer =>
  Buffer.concat([word(CALLER_PORT), word(port), word(8 + payload.length), word(0), payload]);

/** A datagram by IPv4, without a checksum of its own. */
export function udp4(link: Link, datagram: Datagram): Buffer {
  return ethernet(link, IPV4, ipv4(datagram.from, datagram.to, udp(datagram)));
}

/** A datagram by IPv4 with a record of its route, which routers fill in: an option before its ports. */
export function routed4(link: Link, datagram: Datagram): Buffer {
  const option = Buffer.from([7, 7, 4, 0, 0, 0, 0, 0]);
  const packet = ipv4(datagram.from, datagram.to, Buffer.concat([option, udp(datagram)]));
  packet.writeUInt8(0x40 | ((IPV4_BYTES + option.length) / 4), 0);
  packet.writeUInt16BE(0, 10);
  packet.writeUInt16BE(checksum(packet.subarray(0, IPV4_BYTES + option.length)), 10);
  return ethernet(link, IPV4, packet);
}

/** The packet of a frame in another one, by GRE. */
export function gre4(
  link: Link,
  { from, to }: Pick<Datagram, "from" | "to">,
  inner: Buffer,
): Buffer {
  const body = Buffer.concat([word(0), word(IPV4), inner.subarray(ETHERNET_BYTES)]);
  return ethernet(link, IPV4, ipv4(from, to, body, 0, GRE));
}

/** A segment of TCP by IPv4 with these flags, of no connection. */
export function tcp4(link: Link, { from, to, port, payload }: Datagram, flags: number): Buffer {
  const header = Buffer.concat([word(CALLER_PORT), word(port), Buffer.alloc(16)]);
  header.writeUInt8(0x50, 12);
  header.writeUInt8(flags, 13);
  header.writeUInt16BE(1024, 14);
  return ethernet(link, IPV4, ipv4(from, to, Buffer.concat([header, payload]), 0, TCP));
}

/** A first packet of SCTP by IPv4, without a checksum of its own. */
export function sctp4(link: Link, { from, to, port, payload }: Datagram): Buffer {
  const header = Buffer.concat([word(CALLER_PORT), word(port), Buffer.alloc(8), payload]);
  return ethernet(link, IPV4, ipv4(from, to, header, 0, SCTP));
}

interface Control {
  readonly from: string;
  readonly to: string;
  readonly type: number;
}

/** A message of ICMP. */
export function icmp4(link: Link, { from, to, type }: Control, body: Buffer): Buffer {
  const message = Buffer.concat([Buffer.from([type, 0, 0, 0, 0, 7, 0, 1]), body]);
  message.writeUInt16BE(checksum(message), 2);
  return ethernet(link, IPV4, ipv4(from, to, message, 0, ICMP));
}

/** The checksum of what IPv6 carries: over the addresses too. */
function checksum6(from: string, to: string, protocol: number, body: Buffer): number {
  const ends = [addressOf(from), addressOf(to)];
  return checksum(...ends, word(0), word(body.length), word(0), word(protocol), body);
}

/** A datagram by IPv6. */
export function udp6(link: Link, datagram: Datagram): Buffer {
  const { from, to } = datagram;
  const body = udp(datagram);
  body.writeUInt16BE(checksum6(from, to, UDP, body), 6);
  return ethernet(link, IPV6, ipv6(from, to, UDP, body));
}

/** The same datagram in two parts; ports are in the first alone. */
export function fragment(frame: Buffer): readonly Buffer[] {
  const [head, packet] = [frame.subarray(0, ETHERNET_BYTES), frame.subarray(ETHERNET_BYTES)];
  const [from, to] = [12, 16].map((at) => [...packet.subarray(at, at + 4)].join("."));
  const body = packet.subarray(IPV4_BYTES);
  const cut = 16;
  const parts = [
    ipv4(from ?? "", to ?? "", body.subarray(0, cut), MORE),
    ipv4(from ?? "", to ?? "", body.subarray(cut), cut / 8),
  ];
  return parts.map((part) => Buffer.concat([head, part]));
}

/** An answer that says: this address is at this MAC. */
export function arp(
  link: Link,
  {
    sender,
    target,
    mac = link.from,
  }: { readonly sender: string; readonly target: string; readonly mac?: string },
  trailer: Buffer,
): Buffer {
  const head = Buffer.from("0001080006040002", "hex");
  const says = [head, macOf(mac), addressOf(sender), macOf(link.to), addressOf(target), trailer];
  return ethernet(link, ARP, Buffer.concat(says));
}

/** A message of ICMPv6 with this body. */
export function icmp6(link: Link, { from, to, type }: Control, body: Buffer): Buffer {
  const message = Buffer.concat([Buffer.from([type, 0, 0, 0, 0x60, 0, 0, 0]), body]);
  message.writeUInt16BE(checksum6(from, to, ICMP6, message), 2);
  return ethernet(link, IPV6, ipv6(from, to, ICMP6, message));
}

/** A neighbour advertisement: `target` is at this MAC. */
export function advertise(link: Link, from: string, target: string, trailer: Buffer): Buffer {
  const option = Buffer.concat([Buffer.from([2, 1]), macOf(link.from)]);
  const body = Buffer.concat([addressOf(target), option, trailer]);
  return icmp6(link, { from, to: "ff02::1", type: 136 }, body);
}
