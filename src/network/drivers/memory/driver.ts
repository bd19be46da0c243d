// SPDX-License-Identifier: Apache-2.0
// A host's networks in memory: the contract in its simplest form, for tests of what stands above it.
import { FairleadError } from "#base/errors.ts";
import { networkErrors } from "#network/errors.ts";
import type { Overlay, OverlayAttachment, OverlayChange, OverlayFact } from "#network/overlay.ts";
import { nameDevice, planOverlay } from "#network/plan-overlay.ts";

/** A host that tests look at and spoil. */
export interface MemoryHost {
  readonly overlay: Overlay;
  /** Devices of the host by name. */
  readonly devices: Map<string, OverlayFact>;
  /** Names of devices that are others'. */
  readonly foreign: Set<string>;
  /** Names of its bridges. */
  readonly bridges: Set<string>;
}

const entryText = (entry: OverlayFact["entries"][number]): string => Object.values(entry).join(" ");

function applyEntry(fact: OverlayFact, change: OverlayChange): OverlayFact {
  if (change.kind !== "add" && change.kind !== "drop") return fact;
  const rest = fact.entries.filter((entry) => entryText(entry) !== entryText(change.entry));
  return { ...fact, entries: change.kind === "add" ? [...rest, change.entry] : rest };
}

/** Makes a host with these bridges and nothing else. */
export function createMemoryHost(bridges: readonly string[]): MemoryHost {
  const host: Omit<MemoryHost, "overlay"> = {
    devices: new Map(),
    foreign: new Set(),
    bridges: new Set(bridges),
  };
  const { devices, foreign } = host;

  function applyOne(change: OverlayChange): void {
    const { device } = change;
    const fact = devices.get(device);
    if (change.kind === "remove") devices.delete(device);
    else if (change.kind === "make" || change.kind === "set") {
      const { network, host: address, bridge, tunnel } = change.attachment;
      const kept = fact?.entries ?? [];
      const entries =
        fact?.bridge === bridge ? kept : kept.filter(({ table }) => table !== "bridge");
      const states = { sound: true, set: true };
      devices.set(device, { network, device, host: address, bridge, tunnel, ...states, entries });
    } else if (fact !== undefined) devices.set(device, applyEntry(fact, change));
  }

  let made: readonly OverlayAttachment[] = [];
  const overlay: Overlay = {
    kind: "memory",
    observe: () => Promise.resolve([...devices.values()]),
    repair: () => overlay.apply(made),
    // oxlint-disable-next-line typescript/require-await -- a driver rejects and never throws
    async apply(wanted) {
      made = wanted;
      const isTaken = (vni: number): boolean => foreign.has(nameDevice(vni));
      const missing = wanted.find(({ bridge }) => !host.bridges.has(bridge));
      const taken = wanted.find(({ network }) => isTaken(network.vni));
      const possible = wanted.filter(
        ({ network, bridge }) => !isTaken(network.vni) && host.bridges.has(bridge),
      );
      const changes = planOverlay(possible, [...devices.values()]);
      for (const change of changes) applyOne(change);
      if (missing !== undefined)
        throw new FairleadError(networkErrors["overlay-refused"], `no bridge ${missing.bridge}`);
      if (taken !== undefined)
        throw new FairleadError(networkErrors["overlay-taken"], taken.network.name);
      return changes;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return { ...host, overlay };
}
