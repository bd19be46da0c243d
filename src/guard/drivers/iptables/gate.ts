// SPDX-License-Identifier: Apache-2.0
// Holds the gate by ebtables. What nft does besides at a port, judging what comes out of it, has no counterpart here: what waits
// inside past an instance's rules is let go of before its port opens.
import type { GateOrder, GateResult, Guest, Protection } from "#guard/guard.ts";
import { createOwnerFinder, listGateParts } from "#guard/place/find-owners.ts";
import { readLinks, type Link } from "#guard/place/read-links.ts";
import { listPorts, reopenPorts, shutAll } from "#guard/place/shut-ports.ts";
import { drainNeighbours, listMacs, prepareWaking } from "#guard/place/wake-neighbours.ts";
import type { NetfilterOptions } from "#netfilter/ask-rules.ts";
import { createIpRunner } from "#netfilter/run-ip.ts";
import type { Xtables } from "#netfilter/xtables.ts";
import { listRefusals } from "./list-refusals.ts";
import { fingerprint, hasOwn, readTable, replaceChains, type Standing } from "./read-table.ts";
import { GATE_HOOKS, renderGate } from "./render-gate.ts";
import type { Chains } from "./render-rules.ts";

const HOW = { hooks: GATE_HOOKS, declaration: "RETURN" } as const;
const WITHHELD = "only nftables has a way past a bridge";

/** Whether a gate of ours stands; where ebtables cannot be asked, none can have been made. */
export async function hasGate(xtables: Xtables, options: NetfilterOptions): Promise<boolean> {
  try {
    return hasOwn(readTable(await xtables.read("bridge", options)), GATE_HOOKS);
  } catch {
    return false;
  }
}

/** Keeps the gate. One call at a time. */
export interface Gate {
  hold(order: GateOrder): Promise<GateResult>;
}

/** A gate that nobody has looked at yet. `netns`: of the host, where that is not the process's own. */
export function createGate(xtables: Xtables, netns?: string): Gate {
  const ip = createIpRunner(netns);
  const options = netns === undefined ? {} : { netns };
  const finder = createOwnerFinder();
  let wanted: string | undefined;
  let stands: string | undefined;

  const read = async (): Promise<Standing> => readTable(await xtables.read("bridge", options));

  async function make(chains: Chains): Promise<Protection> {
    const text = JSON.stringify([...chains]);
    const found = await read();
    const isSame = text === wanted;
    if (isSame && fingerprint(found, GATE_HOOKS) === stands) return "unchanged";
    wanted = undefined;
    await xtables.apply("bridge", replaceChains(found, chains, HOW), options);
    stands = fingerprint(await read(), GATE_HOOKS);
    wanted = text;
    return isSame ? "drifted" : "installed";
  }

  async function open(): Promise<Protection> {
    await reopenPorts(ip, await listPorts(ip));
    const found = wanted === "" ? undefined : await read();
    const isMade = found !== undefined && hasOwn(found, GATE_HOOKS);
    if (isMade) await xtables.apply("bridge", replaceChains(found, new Map(), HOW), options);
    wanted = "";
    return isMade ? "installed" : "unchanged";
  }

  async function close(
    bridges: ReadonlySet<string>,
    ready: readonly Guest[],
    links: readonly Link[],
  ): Promise<Protection> {
    const { owners, news } = await finder.admit(ready);
    const isFirst = wanted === undefined;
    try {
      await Promise.all(
        news.filter(({ calls }) => calls !== undefined).map((one) => drainNeighbours(one)),
      );
      // Who is there when a node begins has long asked for himself.
      const own = links.filter(({ ifname }) => bridges.has(ifname));
      using waking = prepareWaking(isFirst ? [] : news, listMacs(own, ready));
      const protection = await make(renderGate(listGateParts(links, bridges, owners)));
      await waking.wake();
      await reopenPorts(ip, links);
      return protection;
    } catch (thrown) {
      const found = await read().catch(() => undefined);
      // What stood before holds back whoever is not ready.
      if (found !== undefined && hasOwn(found, GATE_HOOKS)) throw thrown;
      return await shutAll(ip, { links, bridges, isReady: (number) => owners.has(number) }, thrown);
    }
  }

  return {
    async hold({ bridges, ready, shortcuts }) {
      const withheld = shortcuts.length === 0 ? undefined : WITHHELD;
      const past = new Map<string, number>();
      if (bridges.length === 0)
        return { protection: await open(), past, withheld, refused: new Map() };
      const gated = new Set(bridges);
      const guests = ready.filter(({ ports }) => ports.some(({ bridge }) => gated.has(bridge)));
      const refused = await listRefusals(guests);
      const links = readLinks(await ip.ask("ip", ["-d", "addr", "show"]));
      const held = guests.filter(({ id }) => !refused.has(id));
      return { protection: await close(gated, held, links), past, withheld, refused };
    },
  };
}
