// SPDX-License-Identifier: Apache-2.0
// Grants to a table: overlapping blocks become disjoint ones, each with all that those which cover it allow.
import { countAddresses, parseAddress, parseBlock, type Block } from "#base/addresses.ts";
import { createClasses, type PortSet } from "./port-sets.ts";
import { shareLists } from "./share-lists.ts";
import type { AddressRange, DirectionTable } from "./verdict-table.ts";

/** One thing that is allowed, to hosts or to a range of addresses. */
export type Grant =
  | { readonly hosts: readonly string[]; readonly ports: PortSet }
  | { readonly ranges: readonly Span[]; readonly ports: PortSet };

/** Addresses from one to another, both included. */
export interface Span {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

type Parsed = ReturnType<typeof parseAddress>;

/** The same addresses are read over and over. */
const ADDRESSES_MAX = 100_000;
const read = new Map<string, Parsed>();

/** An address as a number; undefined for what is none. */
export function readAddress(text: string): Parsed {
  const known = read.get(text);
  if (known !== undefined) return known;
  const parsed = parseAddress(text);
  if (read.size >= ADDRESSES_MAX) read.clear();
  read.set(text, parsed);
  return parsed;
}

/** All addresses there are. */
export const ANYWHERE: readonly Span[] = [
  { family: 4, first: 0n, last: (1n << 32n) - 1n },
  { family: 6, first: 0n, last: (1n << 128n) - 1n },
];

function toSpan(block: Block): Span {
  return {
    family: block.family,
    first: block.first,
    last: block.first + countAddresses(block) - 1n,
  };
}

/** A block without its exceptions, as spans. What is no block gives none. */
export function cutBlock(text: string, except: readonly string[]): readonly Span[] {
  const block = parseBlock(text);
  if (block === undefined) return [];
  const holes = except
    .flatMap((one) => parseBlock(one) ?? [])
    .map(toSpan)
    .toSorted((a, b) => (a.first < b.first ? -1 : 1));
  const whole = toSpan(block);
  const spans: Span[] = [];
  let next = whole.first;
  for (const hole of holes) {
    if (hole.first > next) spans.push({ ...whole, first: next, last: hole.first - 1n });
    if (hole.last >= next) next = hole.last + 1n;
  }
  if (next <= whole.last) spans.push({ ...whole, first: next });
  return spans;
}

interface Edge {
  readonly at: bigint;
  readonly grant: number;
  readonly opens: boolean;
}

type SpanGrant = Extract<Grant, { ranges: readonly Span[] }>;

/** Goes over the addresses of a family from the lowest, noting which grants cover each stretch. */
function sweep(
  family: 4 | 6,
  grants: readonly SpanGrant[],
  number: (sets: Iterable<PortSet>) => number | undefined,
): AddressRange[] {
  const edges: Edge[] = [];
  for (const [grant, { ranges }] of grants.entries())
    for (const span of ranges)
      if (span.family === family)
        edges.push(
          { at: span.first, grant, opens: true },
          { at: span.last + 1n, grant, opens: false },
        );
  edges.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const open = new Map<number, number>();
  const found: AddressRange[] = [];
  for (const [index, { at, grant, opens }] of edges.entries()) {
    const depth = (open.get(grant) ?? 0) + (opens ? 1 : -1);
    if (depth === 0) open.delete(grant);
    else open.set(grant, depth);
    const next = edges[index + 1]?.at;
    if (next === undefined || next === at || open.size === 0) continue;
    const one = number([...open.keys()].map((key) => grants[key]?.ports ?? []));
    const before = found.at(-1);
    if (one === undefined) continue;
    if (before?.class === one && before.last + 1n === at)
      found[found.length - 1] = { ...before, last: next - 1n };
    else found.push({ family, first: at, last: next - 1n, class: one });
  }
  return found;
}

function findRange(ranges: readonly AddressRange[], address: string): AddressRange | undefined {
  if (ranges.length === 0) return undefined;
  const parsed = readAddress(address);
  if (parsed === undefined) return undefined;
  let [low, high] = [0, ranges.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle];
    if (range === undefined) return undefined;
    const isBelow =
      parsed.family < range.family ||
      (parsed.family === range.family && parsed.value < range.first);
    const isAbove =
      parsed.family > range.family || (parsed.family === range.family && parsed.value > range.last);
    if (isBelow) high = middle - 1;
    else if (isAbove) low = middle + 1;
    else return range;
  }
  return undefined;
}

/** The class of an address; undefined when nothing is allowed to it. */
export function findClass(table: DirectionTable, address: string): number | undefined {
  return table.hosts.get(address) ?? findRange(table.blocks, address)?.class;
}

/** The class of what nothing is allowed to. */
const NOTHING = -1;

/** The table of what is granted. */
export function buildTable(grants: readonly Grant[]): DirectionTable {
  const classes = createClasses();
  const spans = grants.filter((grant): grant is SpanGrant => "ranges" in grant);
  const blocks = [...sweep(4, spans, classes.number), ...sweep(6, spans, classes.number)];
  const { numbers: hosts, lists } = shareLists(
    grants.flatMap((grant) => ("hosts" in grant ? [[grant.hosts, grant.ports] as const] : [])),
  );
  /** By the number of a list of grants, and 1 + the class of the block around the host, whose ports come on top. */
  const known = lists.map((): (number | undefined)[] => []);
  // Lists become classes in place: there may be many hosts.
  for (const [host, list] of hosts) {
    const covering = findRange(blocks, host)?.class ?? NOTHING;
    const found = known[list] ?? [];
    const one = (found[covering + 1] ??= classes.number(collect(list, covering)) ?? NOTHING);
    if (one === covering || one === NOTHING) hosts.delete(host);
    else hosts.set(host, one);
  }
  return { classes: classes.list, hosts, blocks };

  function collect(list: number, covering: number): readonly PortSet[] {
    const sets = lists[list] ?? [];
    const above = classes.list[covering];
    return above === undefined ? sets : [...sets, above.everything ? "everything" : above.ranges];
  }
}
