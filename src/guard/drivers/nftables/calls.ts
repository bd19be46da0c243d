// SPDX-License-Identifier: Apache-2.0
// Keeps the table of what instances may call, at their ports in the host's namespace.
import { FairleadError } from "#base/errors.ts";
import type { Guest, Pin } from "#guard/guard.ts";
import { openNamespace } from "#guard/place/open-namespace.ts";
import type { Netfilter, NftObject } from "#netfilter/netfilter.ts";
import { NOTHING_TO_DO, type Prepared } from "./make-tables.ts";
import { TABLE } from "./names.ts";
import { readConversations } from "./read-conversations.ts";
import { fingerprint, listNamed } from "./read-rules.ts";
import {
  CALLS,
  describeCalls,
  renderMemory,
  type CallerPort,
  type Remembered,
} from "./render-calls.ts";
import { renderSteps, renderWhole, type Leftovers, type Table } from "./render-table.ts";

const [, NAME = ""] = CALLS.split(" ");
const [, INSIDE = ""] = TABLE.split(" ");

/** A port with whose it is. */
export interface CallingPort extends CallerPort {
  readonly guest: Guest;
}

/** One turn at a time. */
export interface Calls {
  /** What stands, undefined for no table; with `isFresh` read now, else what stood when it was last made, if it was. */
  look(isFresh: boolean): Promise<readonly NftObject[] | undefined>;
  /**
   * What has exactly these ports held; `found` is what stands. With none, and `tidies`, no table is left: otherwise it waits
   * for the next that comes.
   */
  prepare(
    callers: readonly CallingPort[],
    found: readonly NftObject[] | undefined,
    tidies: boolean,
  ): Promise<Prepared>;
  /** Lets addresses be called from the ports of an instance, if any are held. */
  admit(id: string, pins: readonly Pin[]): Promise<void>;
}

function findLeftovers(stands: readonly NftObject[], { holders, chains }: Table): Leftovers {
  const used = new Set([...holders, ...chains].map(({ name }) => name));
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
  let wanted: { readonly table: Table; readonly text: string } | undefined;
  /** Read when nobody waits for the table any more; undefined when that could not be. */
  let stands: Promise<readonly NftObject[] | undefined> = Promise.resolve(undefined);

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

  function clear(found: readonly NftObject[] | undefined): Prepared {
    [wanted, held, known] = [undefined, [], new Set()];
    stands = Promise.resolve(undefined);
    if (found === undefined) return NOTHING_TO_DO;
    return { ...NOTHING_TO_DO, protection: "installed", whole: [`delete table ${CALLS}`] };
  }

  return {
    async look(isFresh) {
      return (isFresh ? undefined : await stands) ?? netfilter.read("bridge", NAME);
    },
    async prepare(callers, found, tidies) {
      if (callers.length === 0 && (tidies || wanted === undefined)) return clear(found);
      const table = describeCalls(callers);
      const text = renderWhole(table).join("\n");
      const isSame = text === wanted?.text;
      const before = await stands;
      const isAsMade =
        before !== undefined &&
        found !== undefined &&
        (found === before || fingerprint(found) === fingerprint(before));
      if (isSame && isAsMade) {
        held = callers;
        return NOTHING_TO_DO;
      }
      if (found === undefined) known = new Set();
      const news = callers.filter((caller) => !known.has(spellPort(caller)));
      const memory = renderMemory(await recallAll(news));
      const steps =
        wanted === undefined || !isAsMade ? undefined : renderSteps(wanted.table, table);
      return {
        protection: isSame ? "drifted" : "installed",
        whole: [...renderWhole(table, findLeftovers(found ?? [], table)), ...memory],
        steps: steps && { ...steps, news: [...steps.news, ...memory] },
        async note() {
          wanted = { table, text };
          [held, known] = [callers, new Set(callers.map(spellPort))];
          // What began while that was made.
          const made = new Set(memory);
          const late = renderMemory(await recallAll(news));
          if (late.some((command) => !made.has(command))) await netfilter.apply(late);
          stands = netfilter.read("bridge", NAME).catch(() => undefined);
        },
      };
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
