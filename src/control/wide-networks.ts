// SPDX-License-Identifier: Apache-2.0
// Which networks of a host are those of other hosts too.
import { OWN_LABELS, type NetworkFact } from "#model/facts.ts";

/** Drivers of networks on which containers of several hosts reach each other. */
const WIDE_DRIVERS = new Set(["overlay", "macvlan", "ipvlan"]);

/** Says whether containers of other hosts are reached on a network of this one. */
export function createWideCheck(networks: readonly NetworkFact[]): (name: string) => boolean {
  const wide = networks.filter(
    ({ driver, labels }) => WIDE_DRIVERS.has(driver) || labels[OWN_LABELS.overlay] !== undefined,
  );
  const names = new Set(wide.map(({ name }) => name));
  return (name) => names.has(name);
}
