// SPDX-License-Identifier: Apache-2.0
// A table of nft as data, and as commands: whole, or in the steps that lead from one that stands to another. The kernel makes what is
// only added at once; for what is taken away, and for chains in hooks, it waits until no packet can be there any more, some 10 ms.

/** A set or a map. */
export interface Holder {
  readonly kind: "set" | "map";
  readonly name: string;
  readonly type: string;
  /** All that it holds, `key` or `key : value`; undefined for what others fill, which stays. */
  readonly elements?: readonly string[];
}

export interface Chain {
  readonly name: string;
  /** Where packets come to it, as nft says it; without one other chains go there. */
  readonly hook?: string;
  readonly rules: readonly string[];
}

export interface Table {
  /** Family and name. */
  readonly id: string;
  readonly counters: readonly string[];
  readonly holders: readonly Holder[];
  readonly chains: readonly Chain[];
}

/** Two transactions. */
export interface Steps {
  /** What is new, and what is another than it was. */
  readonly news: readonly string[];
  /** What goes. */
  readonly gone: readonly string[];
}

/** What stands of a table and is of no use any more, by name. */
export interface Leftovers {
  readonly chains: readonly string[];
  readonly sets: readonly string[];
  readonly maps: readonly string[];
}

const addElements = (id: string, name: string, elements: readonly string[]): readonly string[] =>
  elements.length === 0 ? [] : [`add element ${id} ${name} { ${elements.join(", ")} }`];

const addChain = (id: string, { name, hook }: Chain): string =>
  hook === undefined ? `add chain ${id} ${name}` : `add chain ${id} ${name} { ${hook} }`;

const addRules = (id: string, { name, rules }: Chain): readonly string[] =>
  rules.map((rule) => `add rule ${id} ${name} ${rule}`);

/** Makes it anew whatever stands, in one transaction. */
export function renderWhole(
  { id, counters, holders, chains }: Table,
  leftovers: Leftovers = { chains: [], sets: [], maps: [] },
): readonly string[] {
  return [
    `add table ${id}`,
    ...counters.map((name) => `add counter ${id} ${name}`),
    ...holders.flatMap(({ kind, name, type, elements }) => [
      `add ${kind} ${id} ${name} { ${type} }`,
      ...(elements === undefined ? [] : [`flush ${kind} ${id} ${name}`]),
    ]),
    ...chains.map((chain) => addChain(id, chain)),
    `flush table ${id}`,
    ...chains.flatMap((chain) => addRules(id, chain)),
    ...holders.flatMap(({ name, elements = [] }) => addElements(id, name, elements)),
    ...leftovers.chains.map((name) => `delete chain ${id} ${name}`),
    ...leftovers.maps.map((name) => `delete map ${id} ${name}`),
    ...leftovers.sets.map((name) => `delete set ${id} ${name}`),
  ];
}

const byName = <T extends { readonly name: string }>(list: readonly T[]): ReadonlyMap<string, T> =>
  new Map(list.map((one) => [one.name, one]));

/** Keys with their whole elements. */
const byKey = (elements: readonly string[] = []): ReadonlyMap<string, string> =>
  new Map(elements.map((element) => [element.split(" : ")[0] ?? element, element]));

function stepHolder(id: string, before: Holder, after: Holder): Steps {
  const [old, now] = [byKey(before.elements), byKey(after.elements)];
  const remove = (keys: readonly string[]): readonly string[] =>
    keys.length === 0 ? [] : [`delete element ${id} ${after.name} { ${keys.join(", ")} }`];
  const changed = [...now].filter(([key, element]) => old.get(key) !== element);
  const others = changed.flatMap(([key]) => (old.has(key) ? [key] : []));
  const ended = [...old.keys()].filter((key) => !now.has(key));
  const added = changed.map(([, element]) => element);
  return {
    news: [...remove(others), ...addElements(id, after.name, added)],
    gone: remove(ended),
  };
}

/**
 * What leads from a table that stands to another. Undefined where it has to be made anew: a chain has other rules or another
 * hook, a set is of another type.
 */
export function renderSteps(before: Table, after: Table): Steps | undefined {
  const { id } = after;
  const [oldHolders, oldChains] = [byName(before.holders), byName(before.chains)];
  const isOther =
    before.id !== id ||
    before.counters.join() !== after.counters.join() ||
    after.chains.some(({ name, hook, rules }) => {
      const old = oldChains.get(name);
      if (old === undefined) return hook !== undefined;
      return old.hook !== hook || old.rules.join("\n") !== rules.join("\n");
    }) ||
    before.chains.some(({ name, hook }) => hook !== undefined && !byName(after.chains).has(name)) ||
    after.holders.some(({ name, kind, type, elements }) => {
      const old = oldHolders.get(name);
      if (old === undefined) return false;
      const isOurs = (old.elements === undefined) === (elements === undefined);
      return old.kind !== kind || old.type !== type || !isOurs;
    });
  if (isOther) return undefined;
  const [holders, chains] = [byName(after.holders), byName(after.chains)];
  const newHolders = after.holders.filter(({ name }) => !oldHolders.has(name));
  const newChains = after.chains.filter(({ name }) => !oldChains.has(name));
  const goneHolders = before.holders.filter(({ name }) => !holders.has(name));
  const goneChains = before.chains.filter(({ name }) => !chains.has(name));
  const kept = after.holders.flatMap((holder) => {
    const old = oldHolders.get(holder.name);
    return old === undefined || holder.elements === undefined ? [] : [stepHolder(id, old, holder)];
  });
  return {
    news: [
      ...newHolders.map(({ kind, name, type }) => `add ${kind} ${id} ${name} { ${type} }`),
      ...newChains.map((chain) => addChain(id, chain)),
      ...newHolders.flatMap(({ name, elements = [] }) => addElements(id, name, elements)),
      ...newChains.flatMap((chain) => addRules(id, chain)),
      ...kept.flatMap(({ news }) => news),
    ],
    gone: [
      ...kept.flatMap(({ gone }) => gone),
      ...goneChains.flatMap(({ name }) => [`flush chain ${id} ${name}`]),
      ...goneChains.map(({ name }) => `delete chain ${id} ${name}`),
      ...goneHolders.map(({ kind, name }) => `delete ${kind} ${id} ${name}`),
    ],
  };
}
