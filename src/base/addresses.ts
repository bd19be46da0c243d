// SPDX-License-Identifier: Apache-2.0
// Addresses as texts and as numbers, and blocks of them, for IPv4 and IPv6 alike.

/** `10.0.0.1`. */
export function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return (
    parts.length === 4 &&
    parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
  );
}

/** `fd00::1`, `::ffff:10.0.0.1`; without a zone. */
export function isIpv6(text: string): boolean {
  const [head = "", tail, ...more] = text.split("::");
  if (more.length > 0) return false;
  const groups = (side: string): string[] => (side === "" ? [] : side.split(":"));
  const all = [...groups(head), ...groups(tail ?? "")];
  // An embedded IPv4 address ends the text: nothing, not even `::`, may follow it.
  const last = tail === "" ? undefined : all.at(-1);
  const embedded = last !== undefined && isIpv4(last);
  const count = all.length + (embedded ? 1 : 0);
  const good = (embedded ? all.slice(0, -1) : all).every((group) =>
    /^[0-9a-fA-F]{1,4}$/.test(group),
  );
  return good && (tail === undefined ? count === 8 : count < 8);
}

/** A block of addresses as `10.77.0.0/16` or `fd00::/64` writes it. */
export interface Block {
  readonly family: 4 | 6;
  /** The first address as a number; the bits after the prefix are zero. */
  readonly first: bigint;
  /** How many leading bits all its addresses share. */
  readonly prefix: number;
}

const BITS = { 4: 32, 6: 128 } as const;
const GROUP = 0xffffn;

/** How many addresses a block has. */
export function countAddresses({ family, prefix }: Block): bigint {
  return 1n << BigInt(BITS[family] - prefix);
}

function parseGroups(text: string): readonly bigint[] {
  return text === "" ? [] : text.split(":").map((group) => BigInt(`0x${group}`));
}

function parseIpv4(text: string): bigint {
  return text.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

/** `::ffff:10.0.0.1` is written without dots. */
function withoutDots(text: string): string {
  const at = text.lastIndexOf(":") + 1;
  if (!text.includes(".")) return text;
  const tail = parseIpv4(text.slice(at));
  return `${text.slice(0, at)}${(tail >> 16n).toString(16)}:${(tail & GROUP).toString(16)}`;
}

function parseIpv6(text: string): bigint {
  const [head = "", tail] = withoutDots(text).split("::");
  const before = parseGroups(head);
  const after = parseGroups(tail ?? "");
  const missing = tail === undefined ? 0 : 8 - before.length - after.length;
  const groups = [...before, ...Array.from({ length: missing }, () => 0n), ...after];
  return groups.reduce((sum, group) => (sum << 16n) | group, 0n);
}

/** An address as a number; undefined for what is none, or has a zone. */
export function parseAddress(text: string): { family: 4 | 6; value: bigint } | undefined {
  if (isIpv4(text)) return { family: 4, value: parseIpv4(text) };
  if (isIpv6(text)) return { family: 6, value: parseIpv6(text) };
  return undefined;
}

function formatIpv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => (value >> BigInt(16 * (7 - i))) & GROUP);
  const text = groups.map((group) => group.toString(16)).join(":");
  const zeros = [...text.matchAll(/(?<![^:])0(?::0)+(?![^:])/g)].map(([run]) => run);
  const longest = zeros.reduce((most, run) => (run.length > most.length ? run : most), "");
  if (longest === "") return text;
  const at = text.search(new RegExp(`(?<![^:])${longest}(?![^:])`));
  return `${text.slice(0, at).replace(/:$/, "")}::${text.slice(at + longest.length).replace(/^:/, "")}`;
}

/** An address as the kernel writes it: lower case, the longest run of zeros left out. */
export function formatAddress(family: 4 | 6, value: bigint): string {
  if (family === 6) return formatIpv6(value);
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
}

/** `10.77.0.0/16`; undefined for what is no block, or has bits set after its prefix. */
export function parseBlock(text: string): Block | undefined {
  const [, place = "", length = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const address = parseAddress(place);
  const prefix = Number(length);
  if (address === undefined || prefix > BITS[address.family]) return undefined;
  const block = { family: address.family, first: address.value, prefix };
  return block.first % countAddresses(block) === 0n ? block : undefined;
}

/** The opposite of `parseBlock`. */
export function formatBlock({ family, first, prefix }: Block): string {
  return `${formatAddress(family, first)}/${prefix}`;
}

/** Whether all of `inner` is in `outer`. */
export function contains(outer: Block, inner: Block): boolean {
  return outer.family === inner.family && outer.prefix <= inner.prefix && overlaps(outer, inner);
}

/** Whether any address is in both. */
export function overlaps(a: Block, b: Block): boolean {
  return (
    a.family === b.family &&
    a.first < b.first + countAddresses(b) &&
    b.first < a.first + countAddresses(a)
  );
}

/** Whether an address is in the block. */
export function hasAddress(block: Block, address: string): boolean {
  const parsed = parseAddress(address);
  if (parsed === undefined) return false;
  const { family, value } = parsed;
  return contains(block, { family, first: value, prefix: BITS[family] });
}
