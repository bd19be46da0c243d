// SPDX-License-Identifier: Apache-2.0
// Whose ports on bridges are whose: the other ends of instances' devices, by their numbers on the host. And what a gate is made of,
// whatever program makes it.
import { formatAddress } from "#base/addresses.ts";
import { FairleadError } from "#base/errors.ts";
import type { Guest } from "#guard/guard.ts";
import { createIpRunner } from "#netfilter/run-ip.ts";
import { openNamespace } from "./open-namespace.ts";
import { listBlocks, readLinks, type Link } from "./read-links.ts";

/** What the gate is made of. */
export interface GateParts {
  /** Ports of bridges whose owner is ready, or has no rules to wait for. */
  readonly ports: readonly string[];
  /** Who is behind ports that are an instance's. */
  readonly owners: readonly PortOwner[];
  /** MACs of the bridges: what goes to the host and beyond. */
  readonly macs: readonly string[];
  /** The networks' blocks. */
  readonly blocks4: readonly string[];
  readonly blocks6: readonly string[];
}

/** Under what somebody may send. */
export interface PortOwner {
  readonly port: string;
  readonly mac: string;
  readonly addresses: readonly string[];
}

/** Who may pass. */
export interface Passing {
  readonly guests: readonly Guest[];
  /** Whose ports there are, by their numbers. */
  readonly owners: ReadonlyMap<number, Guest>;
  /** Those that did not in the last turn. */
  readonly news: readonly Guest[];
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

/** The same for as long as it runs and is on the same networks. */
function spellGuest({ id, pid, ports }: Guest): string {
  const bridges = ports.map(({ bridge }) => bridge).toSorted();
  return `${id} ${pid} ${bridges.join(" ")}`;
}

/** One call at a time. */
export interface OwnerFinder {
  /** Finds the ends of all of them; one that has just ended has none. */
  meet(guests: readonly Guest[]): Promise<void>;
  /** Finds who may pass in this turn. */
  admit(ready: readonly Guest[]): Promise<Passing>;
}

/** Has met nobody yet. */
export function createOwnerFinder(): OwnerFinder {
  /** Ends of instances by how these are spelled. */
  let ends = new Map<string, readonly number[]>();
  let passed: ReadonlySet<string> = new Set();

  async function meet(guests: readonly Guest[]): Promise<void> {
    const next: typeof ends = new Map();
    for (const guest of guests) {
      const key = spellGuest(guest);
      try {
        next.set(key, ends.get(key) ?? (await findEnds(guest)));
      } catch (thrown) {
        if (!(thrown instanceof FairleadError)) throw thrown;
      }
    }
    ends = next;
  }

  return {
    meet,
    async admit(ready) {
      await meet(ready);
      const owners = new Map(
        ready.flatMap((guest) =>
          (ends.get(spellGuest(guest)) ?? []).map((end) => [end, guest] as const),
        ),
      );
      const news = ready.filter((guest) => !passed.has(spellGuest(guest)));
      passed = new Set(ready.map(spellGuest));
      return { guests: ready, owners, news };
    },
  };
}

/** Ports of bridges that carry something: those of who is ready, and what is no veth, the device by which the network spans hosts. */
export function listOpenPorts(
  links: readonly Link[],
  bridges: ReadonlySet<string>,
  ready: ReadonlyMap<number, Guest>,
): readonly Link[] {
  return links
    .filter(({ master = "", ifindex, linkinfo }) => {
      const isReady = ready.has(ifindex) || linkinfo?.info_kind !== "veth";
      return bridges.has(master) && isReady;
    })
    .toSorted((a, b) => (a.ifname < b.ifname ? -1 : 1));
}

/** Makes the parts of the gate from the host's devices and what is behind them. */
export function listGateParts(
  links: readonly Link[],
  bridges: ReadonlySet<string>,
  ready: ReadonlyMap<number, Guest>,
): GateParts {
  const own = links.filter(({ ifname }) => bridges.has(ifname));
  const ports = listOpenPorts(links, bridges, ready);
  const owners = ports.flatMap(({ ifname, ifindex, master }) => {
    const place = ready.get(ifindex)?.ports.find(({ bridge }) => bridge === master);
    return place === undefined || place.mac === "" ? [] : [{ port: ifname, ...place }];
  });
  return {
    ports: ports.map(({ ifname }) => ifname),
    owners,
    macs: own.flatMap(({ address }) => address ?? []).toSorted(),
    blocks4: own.flatMap((link) => listBlocks(link, 4)).toSorted(),
    blocks6: own.flatMap((link) => listBlocks(link, 6)).toSorted(),
  };
}

/** The address that a device gives itself on its link, from its MAC. */
export function findLinkLocal(mac: string): string {
  const bytes = mac.split(":").map((byte) => Number.parseInt(byte, 16));
  const [first = 0, ...rest] = bytes;
  const all = [first ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)];
  const value = all.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return formatAddress(6, (0xfe80n << 112n) | value);
}
