// SPDX-License-Identifier: Apache-2.0
// While a port carries nothing, an instance's packets wait inside it for the MAC of their next stop, which it asks for once a second.
// When the port opens, those that are known are told to it, so that it goes on at once.
import { readFileSync } from "node:fs";
import { z } from "zod";
import { formatAddress, parseAddress } from "#base/addresses.ts";
import { FairleadError } from "#base/errors.ts";
import type { Guest, Place } from "#guard/guard.ts";
import { createIpRunner, type IpRunner } from "#netfilter/run-ip.ts";
import { openNamespace } from "./open-namespace.ts";
import { readLinks, type Link } from "./read-links.ts";

const Neighbours = z.array(z.object({ dst: z.string(), dev: z.string() }));

/** MACs by bridge and address. */
export type KnownMacs = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** As the kernel writes it. */
function spell(address: string): string {
  const parsed = parseAddress(address);
  return parsed === undefined ? address : formatAddress(parsed.family, parsed.value);
}

/** Those of instances, as the engine says, and of the bridges themselves. */
export function listMacs(bridges: readonly Link[], guests: readonly Guest[]): KnownMacs {
  const known = new Map<string, Map<string, string>>();
  const note = (bridge: string, mac: string, addresses: readonly string[]): void => {
    if (mac === "") return;
    const macs = known.get(bridge) ?? new Map<string, string>();
    known.set(bridge, macs);
    for (const address of addresses) macs.set(spell(address), mac);
  };
  for (const { ifname, address = "", addr_info: own = [] } of bridges)
    note(
      ifname,
      address,
      own.map(({ local }) => local),
    );
  for (const { ports } of guests)
    for (const { bridge, mac, addresses } of ports) note(bridge, mac, addresses);
  return known;
}

/** Runs in an instance's namespace; undefined for one that has just ended, which waits for nobody. */
async function inside<T>(guest: Place, task: (ip: IpRunner) => Promise<T>): Promise<T | undefined> {
  try {
    await using namespace = await openNamespace(guest);
    return await task(createIpRunner(namespace.path));
  } catch (thrown) {
    if (!(thrown instanceof FairleadError)) throw thrown;
    return undefined;
  }
}

/** A neighbour in `/proc/PID/net/arp` whose MAC is not known. */
const UNKNOWN = /^\S+\s+0x\w+\s+0x0\s/m;

/** Whether it has asked for somebody, or may have: of IPv6 the kernel lists nothing there. Saves the programs that would look. */
function mayAsk({ pid, ports }: Guest): boolean {
  const hasSix = ports.some(({ addresses }) => addresses.some((one) => one.includes(":")));
  if (hasSix) return true;
  try {
    return UNKNOWN.test(readFileSync(`/proc/${pid}/net/arp`, "utf8"));
  } catch {
    return false;
  }
}

/** What tells an instance the neighbours that it asks for, of those that are known. */
async function findAnswers(guest: Guest, known: KnownMacs): Promise<readonly string[]> {
  const answers = await inside(guest, async (ip) => {
    const asked = await ip.ask("ip", ["neigh", "show", "nud", "incomplete"]);
    return Neighbours.parse(asked).flatMap(({ dst, dev }) => {
      const macs = guest.ports.map(({ bridge }) => known.get(bridge)?.get(dst));
      const mac = macs.find((one) => one !== undefined);
      return mac === undefined ? [] : [`neigh replace ${dst} lladdr ${mac} dev ${dev} nud stale`];
    });
  });
  return answers ?? [];
}

/** Answers for guests that wait for their ports to open. */
export interface Waking extends Disposable {
  /** The ports are open: first what was asked for before is answered, then what was asked for since. */
  wake(): Promise<void>;
}

/**
 * Looks who asks for whom, and has the programs at hand that answer. Whoever is not known is found by the guest itself, after a
 * second. Disposed of unused, it answers nothing.
 */
export function prepareWaking(guests: readonly Guest[], known: KnownMacs): Waking {
  const tell = (guest: Guest, answers: readonly string[] | Promise<readonly string[]>) =>
    inside(guest, (ip) => ip.batch("ip", answers));
  const ready = guests.map((guest) => {
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    // One that is made ready before its program runs waits for nobody yet.
    const asks = mayAsk(guest);
    const early = asks ? findAnswers(guest, known) : Promise.resolve([]);
    const told = asks ? tell(guest, promise) : Promise.resolve();
    for (const one of [early, told]) one.catch(() => undefined);
    return { guest, early, told, answer: resolve };
  });
  return {
    async wake() {
      await Promise.all(
        ready.map(async ({ guest, early, told, answer }) => {
          const first = await early;
          answer(first);
          await told;
          const late = mayAsk(guest) ? await findAnswers(guest, known) : [];
          await tell(
            guest,
            late.filter((one) => !first.includes(one)),
          );
        }),
      );
    },
    [Symbol.dispose]() {
      for (const { answer } of ready) answer([]);
    },
  };
}

/** Where what waits is let go of: on devices of these kinds the own MAC leads nowhere, on a bridge and beside it. */
const LEADS_NOWHERE = new Set(["veth", "macvlan"]);

/**
 * Lets go of what an instance has sent before its rules were in and what waits inside it, past them, for a neighbour's MAC. Who sent it
 * is not told where that can be: what waits goes to the instance's own MAC, so that a call that is allowed comes again.
 */
export async function drainNeighbours(
  place: Place,
  isMeant: (kind: string) => boolean = () => true,
): Promise<void> {
  await inside(place, async (ip) => {
    const links = readLinks(await ip.ask("ip", ["-d", "link", "show"])).filter(({ linkinfo }) =>
      isMeant(linkinfo?.info_kind ?? ""),
    );
    if (links.length === 0) return;
    const asked = await ip.ask("ip", ["neigh", "show", "nud", "incomplete"]);
    const lines = Neighbours.parse(asked).flatMap(({ dst, dev }) => {
      const link = links.find(({ ifname }) => ifname === dev);
      if (link === undefined) return [];
      const { address = "", linkinfo } = link;
      const goes = LEADS_NOWHERE.has(linkinfo?.info_kind ?? "") && address !== "";
      const drop = goes ? [`neigh replace ${dst} lladdr ${address} dev ${dev} nud stale`] : [];
      // It is asked for anew.
      return [...drop, `neigh del ${dst} dev ${dev}`];
    });
    await ip.batch("ip", lines);
  });
}

const UNGATED = new Set(["macvlan", "ipvlan"]);

/** The same on networks that no gate holds, once an instance's rules are in. Nobody needs to wait for it: it takes some milliseconds. */
export function drainUngated(place: Place): void {
  drainNeighbours(place, (kind) => UNGATED.has(kind)).catch(() => undefined);
}
