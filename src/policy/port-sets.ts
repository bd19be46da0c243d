// SPDX-License-Identifier: Apache-2.0
// Sets of ports, made disjoint, so that equal sets are equal texts.
import type { PolicyPort, PolicyProtocol } from "#model/policy.ts";
import type { PortClass, PortRange } from "./verdict-table.ts";
import type { NamedPort } from "./world.ts";

const PORT_MAX = 65_535;
const ORDER: readonly PolicyProtocol[] = ["TCP", "UDP", "SCTP", "ICMP"];

/** What a rule allows: everything, or these; not yet disjoint. */
export type PortSet = "everything" | readonly PortRange[];

/**
 * The ports of a rule at an instance whose names are known. A rule that names no ports is about all; one whose names are
 * all unknown is about none.
 */
export function resolvePorts(ports: readonly PolicyPort[], named: readonly NamedPort[]): PortSet {
  if (ports.length === 0) return "everything";
  return ports.flatMap(({ protocol, port, endPort }): PortRange[] => {
    if (protocol === "ICMP") return [{ protocol, first: 0, last: 0 }];
    if (port === undefined) return [{ protocol, first: 0, last: PORT_MAX }];
    if (typeof port === "number") return [{ protocol, first: port, last: endPort ?? port }];
    return named
      .filter((one) => one.name === port && one.protocol === protocol)
      .map((one) => ({ protocol, first: one.port, last: one.port }));
  });
}

/** Whether a rule's ports depend on who is called. */
export function usesNames(ports: readonly PolicyPort[]): boolean {
  return ports.some(({ port }) => typeof port === "string");
}

function unite(ranges: readonly PortRange[]): readonly PortRange[] {
  const sorted = ranges.toSorted(
    (a, b) => ORDER.indexOf(a.protocol) - ORDER.indexOf(b.protocol) || a.first - b.first,
  );
  const united: PortRange[] = [];
  for (const range of sorted) {
    const before = united.at(-1);
    if (before?.protocol !== range.protocol || before.last + 1 < range.first) united.push(range);
    else if (range.last > before.last) united[united.length - 1] = { ...before, last: range.last };
  }
  return united;
}

/** Numbers the different sets of ports that a table has. */
export interface Classes {
  readonly list: readonly PortClass[];
  /** The number of what several rules allow together; undefined for nothing. */
  number(sets: Iterable<PortSet>): number | undefined;
}

/** No classes yet. */
export function createClasses(): Classes {
  const list: PortClass[] = [];
  const numbers = new Map<string, number>();
  return {
    list,
    number(sets) {
      const all = [...sets];
      const everything = all.includes("everything");
      const ranges = everything
        ? []
        : unite(all.flatMap((set) => (set === "everything" ? [] : set)));
      if (!everything && ranges.length === 0) return undefined;
      const key = everything
        ? "*"
        : ranges.map(({ protocol, first, last }) => `${protocol}${first}-${last}`).join(" ");
      const known = numbers.get(key);
      if (known !== undefined) return known;
      list.push({ everything, ranges });
      numbers.set(key, list.length - 1);
      return list.length - 1;
    },
  };
}
