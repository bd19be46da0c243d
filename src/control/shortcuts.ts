// SPDX-License-Identifier: Apache-2.0
// Ways past the bridges of networks that span hosts. Who is behind the devices the loop of networks says, who may use them the
// loop of policies: what both know meets here, and how it stands is shown with the networks.
import { isDeepStrictEqual } from "node:util";
import type { NetworkShortcut } from "@fairlead/protocol/network.ts";
import type { GateResult, Shortcut } from "#guard/guard.ts";
import type { NetworkFact } from "#model/facts.ts";
import type { OverlayAttachment, OverlayChange } from "#network/overlay.ts";
import { listWantedEntries, nameDevice } from "#network/plan-overlay.ts";

export interface Shortcuts {
  /** By network, as the engine calls it; none where they are switched off. */
  list(): ReadonlyMap<string, Shortcut>;
  /** Calls `listener` when that has changed; returns the function that ends it. */
  onChange(listener: () => void): () => void;
  /** The networks of this host are so now, after these changes. */
  note(
    wanted: readonly OverlayAttachment[],
    changes: readonly OverlayChange[],
    facts: readonly NetworkFact[],
  ): void;
  /** These changes were made to the networks that there are. */
  noteRepair(changes: readonly OverlayChange[]): void;
  /** What became of them. */
  settle(result: Pick<GateResult, "past" | "withheld">): void;
  /** How a network's packets go on this host. */
  show(bridge: string): NetworkShortcut;
}

/** Whose engine keeps its containers apart by rules that packets meet only on the bridge. */
const isApart = ({ options }: NetworkFact): boolean =>
  options?.["com.docker.network.bridge.enable_icc"] === "false";

const listMacs = (attachment: OverlayAttachment): readonly string[] =>
  listWantedEntries(attachment).entries.flatMap(({ table, key }) =>
    table === "forward" ? key : [],
  );

/** Knows of no network yet. */
export function createShortcuts({ isOn }: { readonly isOn: boolean }): Shortcuts {
  const listeners = new Set<() => void>();
  const turns = new Map<string, number>();
  /** By network, but for the turns. */
  let ways: ReadonlyMap<string, Omit<Shortcut, "turn">> = new Map();
  /** Bridges on which the engine keeps its containers apart. */
  let apart: ReadonlySet<string> = new Set();
  let shortcuts: ReadonlyMap<string, Shortcut> = new Map();
  let outcome: Pick<GateResult, "past" | "withheld"> = { past: new Map(), withheld: undefined };

  function publish(changes: readonly OverlayChange[]): void {
    for (const { kind, device } of changes)
      if (kind === "make") turns.set(device, (turns.get(device) ?? 0) + 1);
    const before = shortcuts;
    shortcuts = new Map(
      [...ways].map(([name, way]) => [name, { ...way, turn: turns.get(way.device) ?? 0 }]),
    );
    if (isDeepStrictEqual(before, shortcuts)) return;
    for (const listener of listeners) listener();
  }

  return {
    list: () => shortcuts,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    note(wanted, changes, facts) {
      if (!isOn) return;
      const names = new Set(facts.filter(isApart).map(({ name }) => name));
      const isKept = ({ network }: OverlayAttachment): boolean => names.has(network.name);
      apart = new Set(wanted.filter(isKept).map(({ bridge }) => bridge));
      const open = wanted.filter((one) => !isKept(one));
      ways = new Map(
        open.map((one) => {
          const { network, bridge } = one;
          return [network.name, { bridge, device: nameDevice(network.vni), macs: listMacs(one) }];
        }),
      );
      publish(changes);
    },
    noteRepair: publish,
    settle: ({ past, withheld }) => void (outcome = { past, withheld }),
    show(bridge) {
      const instances = outcome.past.get(bridge) ?? 0;
      const why = apart.has(bridge)
        ? "the engine keeps its containers apart on the bridge (enable_icc)"
        : outcome.withheld;
      if (!isOn) return { instances, why: "overlay.shortcut is off" };
      return why === undefined ? { instances } : { instances, why };
    },
  };
}
