// SPDX-License-Identifier: Apache-2.0
// iptables, where nftables is missing: chains in the tables `filter` of each instance's own network namespace, IPv4 and IPv6, and
// the gate by ebtables. It holds what it can; what it cannot is refused by name, and nothing of it is let pass meanwhile.
import { baseErrors, FairleadError, isKind } from "#base/errors.ts";
import { guardErrors } from "#guard/errors.ts";
import type { Guard, GuardCallOptions, Installed, Place, Protection, Ward } from "#guard/guard.ts";
import { isNowhere, openNamespace } from "#guard/place/open-namespace.ts";
import { createProbe } from "#guard/place/probe.ts";
import { createTurns } from "#guard/place/take-turns.ts";
import { drainUngated } from "#guard/place/wake-neighbours.ts";
import type { NetfilterOptions } from "#netfilter/ask-rules.ts";
import type { Xtables } from "#netfilter/xtables.ts";
import type { DirectionTable } from "#policy/verdict-table.ts";
import { createGate } from "./gate.ts";
import { HOOKS } from "./names.ts";
import { addCounts, readCounts, readRules, type Counts, type Tables } from "./read-rules.ts";
import { fingerprint, hasOwn, readTable, replaceChains, type Standing } from "./read-table.ts";
import { renderRules, type Chains } from "./render-rules.ts";

const FAMILIES = [4, 6] as const;
const HOW = { hooks: HOOKS, declaration: "- [0:0]" };
const NONE: Counts = { denied: { ingress: 0, egress: 0 }, passed: 0 };

export interface IptablesOptions {
  readonly xtables: Xtables;
  /** Path of the host's network namespace, where it is not the process's own. */
  readonly netns?: string;
}

/** What was made for an instance, and what it looked like when it had been made. */
interface Made {
  readonly namespace: string;
  readonly wanted: string;
  readonly stands: string;
  /** By rules that these replaced: not every version of iptables can set counters. */
  readonly counted: Counts;
}

function familyOf(family: 4 | 6): "ip" | "ip6" {
  return family === 4 ? "ip" : "ip6";
}

function refuse(id: string, what: string): FairleadError {
  return new FairleadError(guardErrors["guard-unable"], `${id.slice(0, 12)}: ${what}`);
}

function sizeOf(table: DirectionTable | undefined): number {
  return table === undefined ? 0 : table.hosts.size + table.blocks.length;
}

/** That there are more addresses than the programs take in their time. */
function refuseSize({ id, table }: Ward, cause: unknown): FairleadError {
  const { ingress, egress } = table;
  const [side, size] =
    sizeOf(egress) > sizeOf(ingress) ? ["egress", sizeOf(egress)] : ["ingress", sizeOf(ingress)];
  const what = `its ports carry nothing: its ${side} policies come to ${size} addresses and ranges, more than iptables takes in 10 s`;
  return new FairleadError(
    guardErrors["guard-unable"],
    `${id.slice(0, 12)}: ${what}: allow fewer or larger blocks, or install nftables (FL1705)`,
    { cause },
  );
}

/** Nothing is asked of the kernel before the first call. */
export function createIptablesGuard({ xtables, netns }: IptablesOptions): Guard {
  const gate = createGate(xtables, netns);
  const made = new Map<string, Made>();
  const takeTurn = createTurns();

  async function readAll(options: NetfilterOptions): Promise<Tables> {
    const [four, six] = await Promise.all(
      FAMILIES.map(async (family) => readTable(await xtables.read(familyOf(family), options))),
    );
    const none: Standing = { chains: new Map() };
    return { 4: four ?? none, 6: six ?? none };
  }

  const spell = (tables: Tables): string =>
    FAMILIES.map((family) => fingerprint(tables[family], HOOKS)).join("\n");

  /** IPv4 first; what fails between leaves a problem, by which nothing passes the gate. */
  async function replaceAll(
    tables: Tables,
    chainsOf: (family: 4 | 6) => Chains,
    options: NetfilterOptions,
  ): Promise<void> {
    for (const family of FAMILIES)
      await xtables.apply(
        familyOf(family),
        replaceChains(tables[family], chainsOf(family), HOW),
        options,
      );
  }

  async function install(ward: Ward, signal?: AbortSignal): Promise<Protection> {
    await using namespace = await openNamespace(ward);
    const options = { netns: namespace.path, ...(signal === undefined ? {} : { signal }) };
    const chains = { 4: renderRules(ward, 4), 6: renderRules(ward, 6) };
    const wanted = JSON.stringify(FAMILIES.map((family) => [...chains[family]]));
    const where = `${ward.pid} ${namespace.inode}`;
    const before = made.get(ward.id);
    const isKnown = before?.wanted === wanted && before.namespace === where;
    const found = await readAll(options);
    if (isKnown && spell(found) === before.stands) return "unchanged";
    made.delete(ward.id);
    await replaceAll(found, (family) => chains[family], options).catch((thrown: unknown) => {
      throw isKind(thrown, baseErrors.timeout) ? refuseSize(ward, thrown) : thrown;
    });
    if (before?.namespace !== where && ward.table.egress !== undefined) drainUngated(ward);
    const counted = addCounts(
      before?.namespace === where ? before.counted : NONE,
      readCounts(found),
    );
    made.set(ward.id, { namespace: where, wanted, stands: spell(await readAll(options)), counted });
    return isKnown ? "drifted" : "installed";
  }

  async function protect(ward: Ward, signal?: AbortSignal): Promise<Protection> {
    const protection = await install(ward, signal);
    const { names = [] } = ward.table;
    if (names.length === 0) return protection;
    throw refuse(
      ward.id,
      `it may call ${names.slice(0, 3).join(", ")} by name, which iptables cannot hold: install nftables, or allow addresses (FL1705)`,
    );
  }

  async function release(place: Place, signal?: AbortSignal): Promise<boolean> {
    made.delete(place.id);
    try {
      await using namespace = await openNamespace(place);
      const options = { netns: namespace.path, ...(signal === undefined ? {} : { signal }) };
      const found = await readAll(options);
      if (!FAMILIES.some((family) => hasOwn(found[family], HOOKS))) return false;
      await replaceAll(found, () => new Map(), options);
      return true;
    } catch (error) {
      if (isNowhere(error)) return false;
      throw error;
    }
  }

  async function inspect(place: Place, signal?: AbortSignal): Promise<Installed | undefined> {
    await using namespace = await openNamespace(place);
    const options = { netns: namespace.path, ...(signal === undefined ? {} : { signal }) };
    return readRules(await readAll(options), made.get(place.id)?.counted ?? NONE);
  }

  const inspectInTurn = (place: Place, { signal }: GuardCallOptions = {}) =>
    takeTurn(place.id, () => inspect(place, signal));
  return {
    kind: "iptables",
    tellsApart: false,
    protect: (ward, { signal } = {}) => takeTurn(ward.id, () => protect(ward, signal)),
    release: (place, { signal } = {}) => takeTurn(place.id, () => release(place, signal)),
    admit: ({ id }) => Promise.reject(refuse(id, "iptables cannot let names be called")),
    inspect: inspectInTurn,
    gate: (order) => takeTurn("", () => gate.hold(order)),
    probe: createProbe(inspectInTurn),
  };
}
