// SPDX-License-Identifier: Apache-2.0
// Who cannot be held on a host without nftables, so that his ports stay shut.
import { readlink } from "node:fs/promises";
import type { Guest } from "#guard/guard.ts";
import { readPowers } from "#guard/place/read-powers.ts";

/** What packet sockets, or rules taken away, would get around; undefined for nothing. */
function findWeakness({ calls, ports }: Guest): string | undefined {
  // At the port nobody tells answers from calls.
  if (calls !== undefined) return "could call whom its policies forbid";
  // And nobody reads whose MAC a neighbour advertisement tells.
  const has6 = ports.some(({ addresses }) => addresses.some((address) => address.includes(":")));
  return has6 ? "could take another's IPv6 address" : undefined;
}

/** Whose ports stay shut and why, by id; of guests with ports on the gate's bridges. */
export async function listRefusals(guests: readonly Guest[]): Promise<ReadonlyMap<string, string>> {
  const refused = new Map<string, string>();
  const asked = guests.flatMap((guest) => {
    const weakness = findWeakness(guest);
    return weakness === undefined ? [] : [{ guest, weakness }];
  });
  if (asked.length === 0) return refused;
  const powers = await readPowers();
  for (const { guest, weakness } of asked) {
    const namespace = await readlink(`/proc/${guest.pid}/ns/net`).catch(() => "");
    const own = [...(powers.get(namespace) ?? [])];
    if (own.length > 0)
      refused.set(
        guest.id,
        `${guest.id.slice(0, 12)}: its ports carry nothing: with ${own.join(" and ")} it ${weakness}, which iptables cannot hold: take that away (cap_drop), or install nftables (FL1705)`,
      );
  }
  return refused;
}
