// SPDX-License-Identifier: Apache-2.0
// Opens and holds the gate: finds the ports of those who are ready, and keeps the tables in the host's
// namespace. Ways past the bridges are taken away before anything else, from who is not ready any more or is to be judged there.
import { FairleadError } from "#base/errors.ts";
import { guardErrors } from "#guard/errors.ts";
import type { Guest, GateOrder, GateResult, Pin, Place, Protection } from "#guard/guard.ts";
import type { Netfilter } from "#netfilter/netfilter.ts";
import { createIpRunner } from "#netfilter/run-ip.ts";
import { createCalls, type CallingPort, type Calls } from "./calls.ts";
import { namesMark } from "./names.ts";
import { openNamespace } from "./open-namespace.ts";
import { listBlocks, readLinks, type Link } from "./read-links.ts";
import { fingerprint, noteTable } from "./read-rules.ts";
import { callsKey } from "./render-calls.ts";
import { GATE, renderGate, type GateParts } from "./render-gate.ts";
import { createShortcuts, listLanes } from "./shortcuts.ts";
import { reopenPorts, shutPorts } from "./shut-ports.ts";
import { listMacs, wakeNeighbours } from "./wake-neighbours.ts";

const [, NAME = ""] = GATE.split(" ");

/** Keeps the gate. One call at a time. */
export interface Gate {
  hold(order: GateOrder): Promise<GateResult>;
  /** Lets addresses be called from the ports of an instance. */
  admit(place: Place, pins: readonly Pin[]): Promise<void>;
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

/** The host before anything is changed. */
interface Seen {
  readonly links: readonly Link[];
  /** Whose ports there are, by their numbers. */
  readonly owners: ReadonlyMap<number, Guest>;
  /** Owners that were not there in the last turn. */
  readonly news: readonly Guest[];
  /** What stands of what may be called. */
  readonly calling: ReturnType<Calls["look"]>;
}

const NOTHING_SEEN: Seen = {
  links: [],
  owners: new Map(),
  news: [],
  calling: Promise.resolve(undefined),
};

interface Assembled {
  readonly gate: GateParts;
  readonly callers: readonly CallingPort[];
}

/** Makes the parts of the gate from the host's devices and what is behind them. */
function assemble(
  links: readonly Link[],
  bridges: ReadonlySet<string>,
  ready: ReadonlyMap<number, Guest>,
): Assembled {
  const own = links.filter(({ ifname }) => bridges.has(ifname));
  const ports = links
    .filter(({ master = "", ifindex, linkinfo }) => {
      // What is no veth is nobody's: the device by which the network spans hosts.
      const isReady = ready.has(ifindex) || linkinfo?.info_kind !== "veth";
      return bridges.has(master) && isReady;
    })
    .toSorted((a, b) => (a.ifname < b.ifname ? -1 : 1));
  const owners = ports.flatMap(({ ifname, ifindex, master }) => {
    const place = ready.get(ifindex)?.ports.find(({ bridge }) => bridge === master);
    return place === undefined || place.mac === "" ? [] : [{ port: ifname, ...place }];
  });
  const callers = ports.flatMap(({ ifname, ifindex }): CallingPort[] => {
    const guest = ready.get(ifindex);
    if (guest?.calls === undefined) return [];
    const { egress } = guest.calls;
    return [{ port: ifname, egress, names: namesMark(guest.calls), guest }];
  });
  return {
    gate: {
      ports: ports.map(({ ifname }) => ifname),
      owners,
      macs: own.flatMap(({ address }) => address ?? []).toSorted(),
      blocks4: own.flatMap((link) => listBlocks(link, 4)).toSorted(),
      blocks6: own.flatMap((link) => listBlocks(link, 6)).toSorted(),
    },
    callers,
  };
}

/** The same for the same order. */
function spellOrder({ bridges, ready, shortcuts }: GateOrder): string {
  const guests = ready.map(({ calls, ...guest }) => [
    guest,
    calls === undefined ? "" : callsKey({ egress: calls.egress, names: namesMark(calls) }),
  ]);
  return JSON.stringify([bridges, guests, shortcuts]);
}

/** A gate that nobody has looked at yet. `netns`: of the host, where that is not the process's own; `netfilter` is of it too. */
export function createGate(netfilter: Netfilter, netns?: string): Gate {
  const ip = createIpRunner(netns);
  const calls = createCalls(netfilter);
  const past = createShortcuts(netfilter);
  /** Ends of instances, for as long as they run and are on the same networks. */
  let ends = new Map<string, readonly number[]>();
  let wanted: string | undefined;
  /** Read when nobody waits for the gate any more. */
  let stands: Promise<string | undefined> = Promise.resolve(undefined);
  let last: { readonly order: string; readonly result: GateResult } | undefined;

  async function listEnds(ready: readonly Guest[]): Promise<Pick<Seen, "owners" | "news">> {
    const next: typeof ends = new Map();
    const owners = new Map<number, Guest>();
    const news: Guest[] = [];
    for (const guest of ready) {
      const bridges = guest.ports.map(({ bridge }) => bridge).toSorted();
      const key = `${guest.id} ${guest.pid} ${bridges.join(" ")}`;
      try {
        const known = ends.get(key);
        const found = known ?? (await findEnds(guest));
        next.set(key, found);
        if (known === undefined) news.push(guest);
        for (const end of found) owners.set(end, guest);
      } catch (thrown) {
        // One that has just ended has no port to let pass.
        if (!(thrown instanceof FairleadError)) throw thrown;
      }
    }
    ends = next;
    return { owners, news };
  }

  async function open(): Promise<Protection> {
    await reopenPorts(ip);
    const isMade = wanted !== "" && (await netfilter.read("bridge", NAME)) !== undefined;
    if (isMade) await netfilter.apply([`delete table ${GATE}`]);
    wanted = "";
    await calls.hold([], undefined);
    return isMade ? "installed" : "unchanged";
  }

  async function holdPorts(parts: GateParts): Promise<Protection> {
    const commands = renderGate(parts);
    const text = commands.join("\n");
    const isSame = text === wanted;
    if (isSame) {
      const found = await netfilter.read("bridge", NAME);
      if (found !== undefined && fingerprint(found) === (await stands)) return "unchanged";
    }
    await netfilter.apply(commands);
    stands = noteTable(netfilter, ["bridge", NAME]);
    wanted = text;
    return isSame ? "drifted" : "installed";
  }

  async function look(ready: readonly Guest[]): Promise<Seen> {
    const calling = calls.look();
    // Where nothing can be read, nothing can be made either: that is seen to when it is needed.
    calling.catch(() => undefined);
    const [ends, answer] = await Promise.all([
      listEnds(ready),
      ip.ask("ip", ["-d", "addr", "show"]),
    ]);
    return { ...ends, links: readLinks(answer), calling };
  }

  /** Tells who has just come to a port which neighbours it has. */
  async function wake(
    bridges: ReadonlySet<string>,
    { links, news }: Seen,
    ready: readonly Guest[],
  ) {
    const own = links.filter(({ ifname }) => bridges.has(ifname));
    const macs = listMacs(own, ready);
    await Promise.all(news.map((guest) => wakeNeighbours(guest, macs)));
  }

  async function holdAll(
    bridges: ReadonlySet<string>,
    ready: readonly Guest[],
    seen: Seen,
  ): Promise<Protection> {
    const { links, owners, calling } = seen;
    // Who is there when a node begins has long asked for himself.
    const isFirst = wanted === undefined;
    const { gate, callers } = assemble(links, bridges, owners);
    try {
      // What may be called stands before a port carries anything.
      const held = [await calls.hold(callers, await calling), await holdPorts(gate)];
      if (!isFirst) await wake(bridges, seen, ready);
      await reopenPorts(ip);
      const isDone = (one: Protection): boolean => held.includes(one);
      return isDone("drifted") ? "drifted" : isDone("installed") ? "installed" : "unchanged";
    } catch (thrown) {
      const stands = await netfilter.read("bridge", NAME).catch(() => undefined);
      // What stood before holds back whoever is not ready.
      if (stands !== undefined) throw thrown;
      await shutPorts(ip, links, bridges, (ifindex) => owners.has(ifindex));
      throw new FairleadError(
        guardErrors["guard-impossible"],
        `networks with policies carry nothing: ${FairleadError.from(thrown).message}`,
        { cause: thrown },
      );
    }
  }

  async function hold({ bridges, ready, shortcuts }: GateOrder): Promise<GateResult> {
    const isNone = bridges.length === 0 && shortcuts.length === 0;
    const seen = isNone ? NOTHING_SEEN : await look(ready);
    const passing = past.hold(listLanes(seen.links, shortcuts, seen.owners));
    // Whatever becomes of them, the gate is held.
    await passing.catch(() => undefined);
    const protection =
      bridges.length === 0 ? await open() : await holdAll(new Set(bridges), ready, seen);
    return { protection, ...(await passing) };
  }

  return {
    admit: ({ id }, pins) => calls.admit(id, pins),
    async hold(order) {
      const spelled = spellOrder(order);
      if (!order.look && spelled === last?.order)
        return { ...last.result, protection: "unchanged" };
      last = undefined;
      const result = await hold(order);
      last = { order: spelled, result };
      return result;
    },
  };
}
