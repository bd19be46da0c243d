// SPDX-License-Identifier: Apache-2.0
// Opens and holds the gate: finds the ports of those who are ready, and keeps the table in the host's namespace.
import { FairleadError } from "#base/errors.ts";
import type { Guest, GateOrder, Protection } from "#guard/guard.ts";
import type { Netfilter } from "#netfilter/netfilter.ts";
import { createIpRunner } from "#netfilter/run-ip.ts";
import { openNamespace } from "./open-namespace.ts";
import { listBlocks, readLinks, type Link } from "./read-links.ts";
import { fingerprint } from "./read-rules.ts";
import { GATE, renderGate, type GateParts } from "./render-gate.ts";

const [, NAME = ""] = GATE.split(" ");

/** Keeps the gate. One call at a time. */
export interface Gate {
  hold(order: GateOrder): Promise<Protection>;
}

/** Numbers, on the host, of the other ends of an instance's devices. */
async function findEnds(guest: Guest): Promise<readonly number[]> {
  await using namespace = await openNamespace(guest);
  const ip = createIpRunner(namespace.path);
  const links = readLinks(await ip.ask("ip", ["link", "show"]));
  // A pair that was made inside has both ends there, whatever their numbers are.
  return links.flatMap(({ link_index: other, link_netnsid: where }) =>
    other === undefined || where === undefined ? [] : [other],
  );
}

/** Makes the parts of the gate from the host's devices and what is behind them. */
function assemble(
  links: readonly Link[],
  bridges: ReadonlySet<string>,
  ready: ReadonlyMap<number, Guest>,
): GateParts {
  const own = links.filter(({ ifname }) => bridges.has(ifname));
  const ports = links.filter(({ master = "", ifindex, linkinfo }) => {
    // What is no veth is nobody's: the device by which the network spans hosts.
    const isReady = ready.has(ifindex) || linkinfo?.info_kind !== "veth";
    return bridges.has(master) && isReady;
  });
  const owners = ports.flatMap(({ ifname, ifindex, master }) => {
    const place = ready.get(ifindex)?.ports.find(({ bridge }) => bridge === master);
    return place === undefined || place.mac === "" ? [] : [{ port: ifname, ...place }];
  });
  return {
    ports: ports.map(({ ifname }) => ifname).toSorted(),
    owners: owners.toSorted((a, b) => (a.port < b.port ? -1 : 1)),
    macs: own.flatMap(({ address }) => address ?? []).toSorted(),
    blocks4: own.flatMap((link) => listBlocks(link, 4)).toSorted(),
    blocks6: own.flatMap((link) => listBlocks(link, 6)).toSorted(),
  };
}

/** A gate that nobody has looked at yet. */
export function createGate(netfilter: Netfilter): Gate {
  const ip = createIpRunner();
  /** Ends of instances, for as long as they run and are on the same networks. */
  let ends = new Map<string, readonly number[]>();
  let wanted: string | undefined;
  let stands: string | undefined;
  let orders: string | undefined;

  async function listEnds(ready: readonly Guest[]): Promise<ReadonlyMap<number, Guest>> {
    const next: typeof ends = new Map();
    const owners = new Map<number, Guest>();
    for (const guest of ready) {
      const bridges = guest.ports.map(({ bridge }) => bridge).toSorted();
      const key = `${guest.id} ${guest.pid} ${bridges.join(" ")}`;
      try {
        const found = ends.get(key) ?? (await findEnds(guest));
        next.set(key, found);
        for (const end of found) owners.set(end, guest);
      } catch (thrown) {
        // One that has just ended has no port to let pass.
        if (!(thrown instanceof FairleadError)) throw thrown;
      }
    }
    ends = next;
    return owners;
  }

  async function open(): Promise<Protection> {
    const isMade = wanted !== "" && (await netfilter.read("bridge", NAME)) !== undefined;
    if (isMade) await netfilter.apply([`delete table ${GATE}`]);
    wanted = "";
    return isMade ? "installed" : "unchanged";
  }

  return {
    async hold({ bridges, ready, look }) {
      const order = JSON.stringify([bridges, ready]);
      if (!look && order === orders) return "unchanged";
      orders = undefined;
      if (bridges.length === 0) {
        const opened = await open();
        orders = order;
        return opened;
      }
      const names = new Set(bridges);
      const owners = await listEnds(ready);
      const links = readLinks(await ip.ask("ip", ["-d", "addr", "show"]));
      const commands = renderGate(assemble(links, names, owners));
      const text = commands.join("\n");
      const isSame = text === wanted;
      if (isSame) {
        const found = await netfilter.read("bridge", NAME);
        if (found !== undefined && fingerprint(found) === stands) {
          orders = order;
          return "unchanged";
        }
      }
      await netfilter.apply(commands);
      stands = fingerprint((await netfilter.read("bridge", NAME)) ?? []);
      [wanted, orders] = [text, order];
      return isSame ? "drifted" : "installed";
    },
  };
}
