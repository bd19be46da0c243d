// SPDX-License-Identifier: Apache-2.0
// Devices of the host and of instances, as `ip -j` prints them: whose port is whose.
import { z } from "zod";
import { countAddresses, formatBlock, parseAddress } from "#base/addresses.ts";

const Link = z.object({
  ifindex: z.number(),
  ifname: z.string(),
  /** The other end, by its number in the other namespace. */
  link_index: z.number().optional(),
  /** That the other end is in another namespace. */
  link_netnsid: z.number().optional(),
  /** The bridge it is a port of. */
  master: z.string().optional(),
  address: z.string().optional(),
  /** What somebody has written on it. */
  ifalias: z.string().optional(),
  linkinfo: z.object({ info_kind: z.string().optional() }).optional(),
  addr_info: z.array(z.object({ local: z.string(), prefixlen: z.number() })).optional(),
});

/** One device. */
export type Link = z.infer<typeof Link>;

/** What `ip -j -d addr show` said. */
export function readLinks(answer: unknown): readonly Link[] {
  return z.array(Link).parse(answer);
}

/** The blocks of a device's addresses, link-local ones left out: those are on every network. */
export function listBlocks(link: Link, wanted: 4 | 6): readonly string[] {
  return (link.addr_info ?? []).flatMap(({ local, prefixlen: prefix }) => {
    const parsed = parseAddress(local);
    if (parsed?.family !== wanted || local.startsWith("fe80:")) return [];
    const { family, value } = parsed;
    const size = countAddresses({ family, first: 0n, prefix });
    return [formatBlock({ family, first: value - (value % size), prefix })];
  });
}
