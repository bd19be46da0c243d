// SPDX-License-Identifier: Apache-2.0
// Finds who may pass the bridges by, and keeps the table by which they do.
import { FairleadError } from "#base/errors.ts";
import type { GateResult, Guest, Shortcut } from "#guard/guard.ts";
import type { Link } from "#guard/place/read-links.ts";
import type { Netfilter } from "#netfilter/netfilter.ts";
import { fingerprint } from "./read-rules.ts";
import {
  frameShortcuts,
  renderShortcuts,
  renewShortcuts,
  SHORTCUTS,
  type Lane,
} from "./render-shortcuts.ts";

const [, NAME = ""] = SHORTCUTS.split(" ");

/** A lane with the bridge that it passes by. */
export interface BridgeLane extends Lane {
  readonly bridge: string;
}

/** One call at a time. */
export interface Shortcuts {
  /** Has exactly these; none: no table is left. Throws only when what stands cannot be taken away. */
  hold(lanes: readonly BridgeLane[]): Promise<Pick<GateResult, "past" | "withheld">>;
}

/** Whether nothing but the gate holds for it on the bridge: what a guest has beside these holds there alone. */
function mayPass({ id: _id, pid: _pid, ports: _ports, ...more }: Guest): boolean {
  return Object.keys(more).length === 0;
}

/** The shortcuts whose bridge and device are there, with the ports of those who may use them; none without such a port. */
export function listLanes(
  links: readonly Link[],
  shortcuts: readonly Shortcut[],
  ready: ReadonlyMap<number, Guest>,
): readonly BridgeLane[] {
  return shortcuts.flatMap(({ bridge, device, macs }) => {
    const own = links.filter(({ master }) => master === bridge);
    const ifindex = own.find(({ ifname }) => ifname === device)?.ifindex;
    const owners = own.flatMap(({ ifname: port, ifindex: number }) => {
      const guest = ready.get(number);
      const place = guest?.ports.find((one) => one.bridge === bridge);
      if (guest === undefined || place === undefined || place.mac === "") return [];
      return mayPass(guest) ? [{ port, ifindex: number, ...place }] : [];
    });
    const sorted = owners.toSorted((a, b) => a.ifindex - b.ifindex);
    if (ifindex === undefined || sorted.length === 0) return [];
    return [{ bridge, device, ifindex, macs, owners: sorted }];
  });
}

/** Does not know yet what an earlier life has left. */
export function createShortcuts(netfilter: Netfilter): Shortcuts {
  /** Of what was made; empty for none, undefined when that is not known. */
  let frame: string | undefined;
  let stands: string | undefined;
  const read = async (): Promise<string | undefined> => {
    const found = await netfilter.read("netdev", NAME);
    return found === undefined ? undefined : fingerprint(found);
  };

  async function clear(): Promise<void> {
    if (frame !== "" && (await read()) !== undefined)
      await netfilter.apply([`delete table ${SHORTCUTS}`]);
    frame = "";
  }

  async function make(lanes: readonly Lane[]): Promise<void> {
    const wanted = frameShortcuts(lanes);
    const isThere = frame === wanted && (await read()) === stands;
    frame = undefined;
    await netfilter.apply(isThere ? renewShortcuts(lanes) : renderShortcuts(lanes));
    stands = await read();
    frame = wanted;
  }

  return {
    async hold(lanes) {
      const none = { past: new Map<string, number>(), withheld: undefined };
      if (lanes.length === 0) {
        await clear();
        return none;
      }
      try {
        await make(lanes);
      } catch (thrown) {
        // A port may have gone since it was found: the next call finds that. Until then packets go over the bridge.
        await clear();
        return { ...none, withheld: FairleadError.from(thrown).message };
      }
      const counts = lanes.map(({ bridge, owners }) => [bridge, owners.length] as const);
      return { past: new Map(counts), withheld: undefined };
    },
  };
}
