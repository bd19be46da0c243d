// SPDX-License-Identifier: Apache-2.0
// While a port carries nothing, an instance's packets wait inside it for the MAC of their next stop, which it asks for once a second.
// When the port opens, those that are known are told to it, so that it goes on at once.
import { z } from "zod";
import { formatAddress, parseAddress } from "#base/addresses.ts";
import { FairleadError } from "#base/errors.ts";
import type { Guest } from "#guard/guard.ts";
import { createIpRunner } from "#netfilter/run-ip.ts";
import { openNamespace } from "./open-namespace.ts";
import type { Link } from "./read-links.ts";

const Neighbours = z.array(z.object({ dst: z.string(), dev: z.string() }));

/** MACs by bridge and address. */
export type KnownMacs = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** As the kernel writes it. */
function spell(address: string): string {
  const parsed = parseAddress(address);
  return parsed === undefined ? address : formatAddress(parsed.family, parsed.value);
}

/** Those of instances, as the engine says, and of the bridges themselves. */
export function listMacs(bridges: readonly Link[], guests: readonly Guest[]): KnownMacs {
  const known = new Map<string, Map<string, string>>();
  const note = (bridge: string, mac: string, addresses: readonly string[]): void => {
    if (mac === "") return;
    const macs = known.get(bridge) ?? new Map<string, string>();
    known.set(bridge, macs);
    for (const address of addresses) macs.set(spell(address), mac);
  };
  for (const { ifname, address = "", addr_info: own = [] } of bridges)
    note(
      ifname,
      address,
      own.map(({ local }) => local),
    );
  for (const { ports } of guests)
    for (const { bridge, mac, addresses } of ports) note(bridge, mac, addresses);
  return known;
}

/** Lets an instance's packets go to neighbours that are known; it asks for others itself, after a second. */
export async function wakeNeighbours(guest: Guest, known: KnownMacs): Promise<void> {
  try {
    await using namespace = await openNamespace(guest);
    const ip = createIpRunner(namespace.path);
    const asked = await ip.ask("ip", ["neigh", "show", "nud", "incomplete"]);
    const lines = Neighbours.parse(asked).flatMap(({ dst, dev }) => {
      const macs = guest.ports.map(({ bridge }) => known.get(bridge)?.get(dst));
      const mac = macs.find((one) => one !== undefined);
      return mac === undefined ? [] : [`neigh replace ${dst} lladdr ${mac} dev ${dev} nud stale`];
    });
    await ip.batch("ip", lines);
  } catch (thrown) {
    // One that has just ended waits for nobody.
    if (!(thrown instanceof FairleadError)) throw thrown;
  }
}
