// SPDX-License-Identifier: Apache-2.0
// Keeps the table of what instances may call, at their ports in the host's namespace.
import type { Guest, Pin, Protection } from "#guard/guard.ts";
import type { Netfilter, NftObject } from "#netfilter/netfilter.ts";
import { FairleadError } from "#base/errors.ts";
import { TABLE } from "./names.ts";
import { openNamespace } from "./open-namespace.ts";
import { readConversations } from "./read-conversations.ts";
import { fingerprint, listNamed, noteTable } from "./read-rules.ts";
import {
  CALLS,
  nameCalls,
  renderCalls,
  renderMemory,
  type CallerPort,
  type CallLeftovers,
  type Remembered,
} from "./render-calls.ts";

const [, NAME = ""] = CALLS.split(" ");
const [, INSIDE = ""] = TABLE.split(" ");

/** A port with whose it is. */
export interface CallingPort extends CallerPort {
  readonly guest: Guest;
}

/** One call of `hold` at a time. */
export interface Calls {
  /** What stands; undefined for no table. */
  look(): Promise<readonly NftObject[] | undefined>;
  /** Has exactly these ports held; none: no table is left. `found` is what stands. */
  hold(
    callers: readonly CallingPort[],
    found: readonly NftObject[] | undefined,
  ): Promise<Protection>;
  /** Lets addresses be called from the ports of an instance, if any are held. */
  admit(id: string, pins: readonly Pin[]): Promise<void>;
}

function findLeftovers(
  stands: readonly NftObject[],
  callers: readonly CallerPort[],
): CallLeftovers {
  const used = nameCalls(callers);
  const unused = (kind: "chain" | "set" | "map"): readonly string[] =>
    stands.flatMap((object) => {
      const name = String(object[kind]?.["name"] ?? "");
      return name === "" || used.has(name) ? [] : [name];
    });
  return { chains: unused("chain"), sets: unused("set"), maps: unused("map") };
}

const spellPort = ({ port, names }: CallingPort): string => `${port} ${names ?? ""}`;

/** Nothing is asked of the kernel before the first call. */
export function createCalls(netfilter: Netfilter): Calls {
  let held: readonly CallingPort[] = [];
  /** Ports, each with its names, whose conversations so far are remembered. */
  let known = new Set<string>();
  let wanted: string | undefined;
  /** Read when nobody waits for the table any more. */
  let stands: Promise<string | undefined> = Promise.resolve(undefined);

  /** What a port's owner has found by names, and who talks to it, from its own namespace. */
  async function recall({ port, names, guest }: CallingPort): Promise<readonly Remembered[]> {
    const addresses = guest.ports.flatMap((one) => one.addresses);
    const talks = await readConversations(guest.pid, { port, addresses, names });
    if (names === undefined) return talks;
    try {
      await using namespace = await openNamespace(guest);
      const objects = await netfilter.read("inet", INSIDE, { netns: namespace.path });
      return [...talks, ...listNamed(objects ?? []).map((pin) => ({ port, names, ...pin }))];
    } catch (thrown) {
      // One that has just ended talks to nobody.
      if (!(thrown instanceof FairleadError)) throw thrown;
      return [];
    }
  }

  async function recallAll(callers: readonly CallingPort[]): Promise<readonly Remembered[]> {
    const all: Remembered[] = [];
    for (const caller of callers) all.push(...(await recall(caller)));
    return all;
  }

  async function clear(): Promise<Protection> {
    const isMade = wanted !== "" && (await netfilter.read("bridge", NAME)) !== undefined;
    if (isMade) await netfilter.apply([`delete table ${CALLS}`]);
    [wanted, held, known] = ["", [], new Set()];
    return isMade ? "installed" : "unchanged";
  }

  return {
    look: () => netfilter.read("bridge", NAME),
    async hold(callers, found) {
      if (callers.length === 0) return clear();
      const text = renderCalls(callers, { chains: [], sets: [], maps: [] }).join("\n");
      const isSame = text === wanted;
      if (isSame && found !== undefined && fingerprint(found) === (await stands)) {
        held = callers;
        return "unchanged";
      }
      if (found === undefined) known = new Set();
      const news = callers.filter((caller) => !known.has(spellPort(caller)));
      const memory = renderMemory(await recallAll(news));
      await netfilter.apply([
        ...renderCalls(callers, findLeftovers(found ?? [], callers)),
        ...memory,
      ]);
      [wanted, held, known] = [text, callers, new Set(callers.map(spellPort))];
      // What began while that was made.
      const made = new Set(memory);
      const late = renderMemory(await recallAll(news));
      if (late.some((command) => !made.has(command))) await netfilter.apply(late);
      stands = noteTable(netfilter, ["bridge", NAME]);
      return isSame ? "drifted" : "installed";
    },
    async admit(id, pins) {
      const ports = held.filter(({ guest }) => guest.id === id);
      const news = ports.flatMap(({ port, names }) =>
        names === undefined ? [] : pins.map((pin) => ({ port, names, ...pin })),
      );
      await netfilter.apply(renderMemory(news));
    },
  };
}
