// SPDX-License-Identifier: Apache-2.0
// `fairlead.egress`: the names of the world outside that a service may call, and none else.
import { hasAddress, parseBlock, type Block } from "#base/addresses.ts";

/** One name, or all below it. */
export interface EgressName {
  /** In lower case, without a dot at its end; of a wildcard what stands behind `*.`. */
  readonly name: string;
  /** `*.pypi.org`: every name below, however deep, and not the name itself. */
  readonly isWildcard: boolean;
  /** `intra.example.com=10.0.0.0/8`: private addresses that it may have. */
  readonly blocks: readonly Block[];
}

const NAME_MAX = 253;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** One entry; undefined when it is none. */
export function parseEgressName(text: string): EgressName | undefined {
  const [written = "", ...blocks] = text.split("=");
  const isWildcard = written.startsWith("*.");
  const name = (isWildcard ? written.slice(2) : written).toLowerCase().replace(/\.$/, "");
  const labels = name.split(".");
  // All below a top-level domain would be next to everything.
  const isName = labels.every((label) => LABEL.test(label)) && name.length <= NAME_MAX;
  const isAddress = /^[\d.]+$/.test(name);
  if (!isName || isAddress || (isWildcard && labels.length < 2) || blocks.length > 1)
    return undefined;
  const parsed = blocks.map((block) => parseBlock(block));
  const good = parsed.filter((block): block is Block => block !== undefined);
  return good.length === parsed.length ? { name, isWildcard, blocks: good } : undefined;
}

/** `api.example.com, *.pypi.org` as its entries. */
export function splitEgressNames(value: string): readonly string[] {
  return value.split(/[\s,]+/).filter((part) => part !== "");
}

/** The entries that a name of the world outside is one of; none when it may not be called. */
export function matchEgressNames(entries: readonly string[], name: string): readonly EgressName[] {
  const asked = name.toLowerCase().replace(/\.$/, "");
  return entries.flatMap((text) => {
    const entry = parseEgressName(text);
    if (entry === undefined) return [];
    const isMatch = entry.isWildcard ? asked.endsWith(`.${entry.name}`) : asked === entry.name;
    return isMatch ? [entry] : [];
  });
}

/** Addresses that no name of the world outside has: this host, private networks, groups, and ways around by IPv6. */
const INSIDE: readonly Block[] = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "224.0.0.0/3",
  "::/3",
  "2002::/16",
  "4000::/2",
  "8000::/1",
].flatMap((text) => parseBlock(text) ?? []);

/** Whether an address may be a name's, as the entries say that the name matched. */
export function mayHaveAddress(matched: readonly EgressName[], address: string): boolean {
  if (matched.some(({ blocks }) => blocks.some((block) => hasAddress(block, address)))) return true;
  return !INSIDE.some((block) => hasAddress(block, address));
}
