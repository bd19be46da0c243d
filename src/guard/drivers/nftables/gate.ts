// SPDX-License-Identifier: Apache-2.0
// Opens and holds the gate: finds the ports of those who are ready, and keeps the tables in the host's
// namespace. Ways past the bridges are taken away before anything else, from who is not ready any more or is to be judged there.
import type { Guest, GateOrder, GateResult, Pin, Place, Protection } from "#guard/guard.ts";
import {
  createOwnerFinder,
  listGateParts,
  listOpenPorts,
  type GateParts,
  type Passing,
} from "#guard/place/find-owners.ts";
import { readLinks, type Link } from "#guard/place/read-links.ts";
import { listPorts, reopenPorts, shutAll } from "#guard/place/shut-ports.ts";
import { listMacs, prepareWaking } from "#guard/place/wake-neighbours.ts";
import type { Netfilter } from "#netfilter/netfilter.ts";
import { createIpRunner } from "#netfilter/run-ip.ts";
import { createCalls, type CallingPort, type Calls } from "./calls.ts";
import { makeTables, NOTHING_TO_DO, type Prepared } from "./make-tables.ts";
import { namesMark } from "./names.ts";
import { fingerprint, noteTable } from "./read-rules.ts";
import { callsKey } from "./render-calls.ts";
import { describeGate, GATE } from "./render-gate.ts";
import { renderSteps, renderWhole, type Table } from "./render-table.ts";
import { createShortcuts, listLanes } from "./shortcuts.ts";

const [, NAME = ""] = GATE.split(" ");

/** Keeps the gate. One call at a time. */
export interface Gate {
  /** Looks at the host and at who is there, for the next `hold`. */
  foresee(guests: readonly Guest[]): Promise<void>;
  hold(order: GateOrder): Promise<GateResult>;
  /** Lets addresses be called from the ports of an instance. */
  admit(place: Place, pins: readonly Pin[]): Promise<void>;
}

/** The host before anything is changed. */
interface Seen {
  readonly links: readonly Link[];
  /** What stands of what may be called. */
  readonly calling: ReturnType<Calls["look"]>;
}

const NOTHING_SEEN: Seen = { links: [], calling: Promise.resolve(undefined) };

/** Ports whose owners may not call everybody. */
function listCallers(
  links: readonly Link[],
  bridges: ReadonlySet<string>,
  ready: ReadonlyMap<number, Guest>,
): readonly CallingPort[] {
  return listOpenPorts(links, bridges, ready).flatMap(({ ifname, ifindex }): CallingPort[] => {
    const guest = ready.get(ifindex);
    if (guest?.calls === undefined) return [];
    const { egress } = guest.calls;
    return [{ port: ifname, egress, names: namesMark(guest.calls), guest }];
  });
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
  const finder = createOwnerFinder();
  let foreseen: Seen | undefined;
  /** Undefined before the first turn. */
  let wanted: "open" | { readonly table: Table; readonly text: string } | undefined;
  /** Read when nobody waits for the gate any more. */
  let stands: Promise<string | undefined> = Promise.resolve(undefined);
  let last: { readonly order: string; readonly result: GateResult } | undefined;

  async function open(): Promise<Protection> {
    await reopenPorts(ip, await listPorts(ip));
    if (wanted === "open") return "unchanged";
    const isMade = (await netfilter.read("bridge", NAME)) !== undefined;
    const calling = await calls.prepare([], await calls.look(true), true);
    await netfilter.apply([...(isMade ? [`delete table ${GATE}`] : []), ...calling.whole]);
    wanted = "open";
    return isMade ? "installed" : calling.protection;
  }

  async function preparePorts(parts: GateParts): Promise<Prepared> {
    const table = describeGate(parts);
    const whole = renderWhole(table);
    const text = whole.join("\n");
    const isSame = typeof wanted === "object" && text === wanted.text;
    if (isSame) {
      const found = await netfilter.read("bridge", NAME);
      if (found !== undefined && fingerprint(found) === (await stands)) return NOTHING_TO_DO;
    }
    return {
      protection: isSame ? "drifted" : "installed",
      whole,
      steps: typeof wanted !== "object" || isSame ? undefined : renderSteps(wanted.table, table),
      note() {
        stands = noteTable(netfilter, ["bridge", NAME]);
        wanted = { table, text };
        return Promise.resolve();
      },
    };
  }

  async function look(isFresh: boolean): Promise<Seen> {
    const calling = calls.look(isFresh);
    // Where nothing can be read, nothing can be made either: that is seen to when it is needed.
    calling.catch(() => undefined);
    return { links: readLinks(await ip.ask("ip", ["-d", "addr", "show"])), calling };
  }

  async function holdAll(
    bridges: ReadonlySet<string>,
    { guests, owners, news }: Passing,
    { links, calling }: Seen,
    tidies: boolean,
  ): Promise<Protection> {
    const gate = listGateParts(links, bridges, owners);
    const callers = listCallers(links, bridges, owners);
    const own = links.filter(({ ifname }) => bridges.has(ifname));
    // Who is there when a node begins has long asked for himself.
    const waits = wanted === undefined ? [] : news;
    try {
      using waking = prepareWaking(waits, listMacs(own, guests));
      const prepared = [
        await calls.prepare(callers, await calling, tidies),
        await preparePorts(gate),
      ];
      const protection = await makeTables(netfilter, prepared, waking.wake);
      await reopenPorts(ip, links);
      return protection;
    } catch (thrown) {
      const stands = await netfilter.read("bridge", NAME).catch(() => undefined);
      // What stood before holds back whoever is not ready.
      if (stands !== undefined) throw thrown;
      return await shutAll(ip, { links, bridges, isReady: (number) => owners.has(number) }, thrown);
    }
  }

  async function hold(order: GateOrder, early: Seen | undefined): Promise<GateResult> {
    const { bridges, shortcuts } = order;
    const isNone = bridges.length === 0 && shortcuts.length === 0;
    const [seen, passing] = await Promise.all([
      isNone ? NOTHING_SEEN : ((order.look ? undefined : early) ?? look(order.look)),
      finder.admit(isNone ? [] : order.ready),
    ]);
    const shortening = past.hold(listLanes(seen.links, shortcuts, passing.owners));
    // Whatever becomes of them, the gate is held.
    await shortening.catch(() => undefined);
    const protection =
      bridges.length === 0
        ? await open()
        : await holdAll(new Set(bridges), passing, seen, order.look);
    return { protection, refused: new Map(), ...(await shortening) };
  }

  return {
    admit: ({ id }, pins) => calls.admit(id, pins),
    async foresee(guests) {
      [foreseen] = await Promise.all([look(false), finder.meet(guests)]);
    },
    async hold(order) {
      const early = foreseen;
      foreseen = undefined;
      const spelled = spellOrder(order);
      if (!order.look && spelled === last?.order)
        return { ...last.result, protection: "unchanged" };
      last = undefined;
      const result = await hold(order, early);
      last = { order: spelled, result };
      return result;
    },
  };
}
