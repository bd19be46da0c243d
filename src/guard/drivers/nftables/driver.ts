// SPDX-License-Identifier: Apache-2.0
// nftables: a table `inet fairlead` in each instance's own network namespace.
import { createLimiter } from "#base/limiter.ts";
import type { Guard, Installed, Pin, Place, Protection, Ward } from "#guard/guard.ts";
import { awaitStart } from "#guard/place/await-start.ts";
import { isNowhere, openNamespace } from "#guard/place/open-namespace.ts";
import { createProbe } from "#guard/place/probe.ts";
import { createTurns } from "#guard/place/take-turns.ts";
import { drainUngated } from "#guard/place/wake-neighbours.ts";
import type { Netfilter } from "#netfilter/netfilter.ts";
import { watchLosses } from "#netfilter/watch-losses.ts";
import { createGate } from "./gate.ts";
import { namesMark, TABLE } from "./names.ts";
import { fingerprint, noteTable, readRules } from "./read-rules.ts";
import { renderPins, renderRules } from "./render-rules.ts";

const [, NAME = ""] = TABLE.split(" ");

export interface NftablesOptions {
  readonly netfilter: Netfilter;
  /** Path of the host's network namespace, where it is not the process's own. */
  readonly netns?: string;
}

/** What was made for an instance, and what it looked like when it had been made. */
interface Made {
  /** Numbers of namespaces are used again, as those of processes are. */
  readonly namespace: string;
  readonly wanted: string;
  /** Read when nobody waits for the rules any more; undefined when it could not be. */
  readonly stands: Promise<string | undefined>;
}

/** The same, of another namespace where none is named. */
function enter({ apply, read }: Netfilter, netns: string): Netfilter {
  return {
    apply: (commands, options) => apply(commands, { netns, ...options }),
    read: (family, table, options) => read(family, table, { netns, ...options }),
  };
}

/** Nothing is asked of the kernel before the first call. */
export function createNftablesGuard({ netfilter, netns }: NftablesOptions): Guard {
  const gate = createGate(netns === undefined ? netfilter : enter(netfilter, netns), netns);
  const made = new Map<string, Made>();
  /** Rules of others come before what was made of these is read. */
  const noting = createLimiter(1);

  /** One call about an instance after the other. */
  const takeTurn = createTurns();
  const inTurn = <T>({ id }: Place, task: () => Promise<T>): Promise<T> => takeTurn(id, task);

  /** Whether what stands was made for the same names, so that what was found by them is good. */
  async function standsFor({ table }: Ward, options: { readonly netns: string }): Promise<boolean> {
    const mark = namesMark(table);
    if (mark === undefined) return false;
    const stands = await netfilter.read("inet", NAME, options);
    return JSON.stringify(stands ?? []).includes(`"value":${mark}}`);
  }

  /** One call about the host's own namespace after the other. */
  const inLine = <T>(task: () => Promise<T>): Promise<T> => takeTurn("", task);

  async function admit(place: Place, pins: readonly Pin[]): Promise<void> {
    await using namespace = await openNamespace(place);
    await netfilter.apply(renderPins(pins), { netns: namespace.path });
    await inLine(() => gate.admit(place, pins));
  }

  /** What stands in an instance's namespace, now that it was made. */
  async function note(place: Place): Promise<string | undefined> {
    try {
      await using namespace = await openNamespace(place);
      return await noteTable(netfilter, ["inet", NAME], { netns: namespace.path });
    } catch {
      return undefined;
    }
  }

  async function protect(ward: Ward, signal?: AbortSignal): Promise<Protection> {
    await using namespace = await openNamespace(ward);
    const options = { netns: namespace.path, ...(signal === undefined ? {} : { signal }) };
    const commands = renderRules(ward);
    const wanted = commands.join("\n");
    const before = made.get(ward.id);
    const where = `${ward.pid} ${namespace.inode}`;
    const isKnown = before?.wanted === wanted && before.namespace === where;
    if (isKnown) {
      const stands = await netfilter.read("inet", NAME, options);
      if (stands !== undefined && fingerprint(stands) === (await before.stands)) return "unchanged";
    }
    const keepNamed = await standsFor(ward, options);
    await netfilter.apply(keepNamed ? renderRules(ward, { keepNamed }) : commands, options);
    if (before?.namespace !== where && ward.table.egress !== undefined) drainUngated(ward);
    made.set(ward.id, { namespace: where, wanted, stands: noting.run(() => note(ward)) });
    return isKnown ? "drifted" : "installed";
  }

  async function release(place: Place, signal?: AbortSignal): Promise<boolean> {
    made.delete(place.id);
    try {
      await using namespace = await openNamespace(place);
      const options = { netns: namespace.path, ...(signal === undefined ? {} : { signal }) };
      if ((await netfilter.read("inet", NAME, options)) === undefined) return false;
      await netfilter.apply([`delete table ${TABLE}`], options);
      return true;
    } catch (error) {
      if (isNowhere(error)) return false;
      throw error;
    }
  }

  async function inspect(place: Place, signal?: AbortSignal): Promise<Installed | undefined> {
    await using namespace = await openNamespace(place);
    const objects = await netfilter.read("inet", NAME, {
      netns: namespace.path,
      ...(signal === undefined ? {} : { signal }),
    });
    return objects === undefined ? undefined : readRules(objects);
  }

  const inspectInTurn: Guard["inspect"] = (place, { signal } = {}) =>
    inTurn(place, () => inspect(place, signal));

  return {
    kind: "nftables",
    tellsApart: true,
    protect: (ward, { signal } = {}) => inTurn(ward, () => protect(ward, signal)),
    release: (place, { signal } = {}) => inTurn(place, () => release(place, signal)),
    admit: (place, pins) => inTurn(place, () => admit(place, pins)),
    inspect: inspectInTurn,
    foresee(guests) {
      // What could not be seen is looked at by the gate itself.
      inLine(() => gate.foresee(guests)).catch(() => undefined);
    },
    awaitStart,
    watchLosses: (signal) => watchLosses(NAME, signal, netns),
    gate: (order) => inLine(() => gate.hold(order)),
    probe: createProbe(inspectInTurn),
  };
}
