// SPDX-License-Identifier: Apache-2.0
// Policies and who there is to one table for each instance. What a rule grants is kept for as long as it means the same
// instances, and a table for as long as it comes from the same grants: after a change only what it touches is made anew.
import type { NetworkPolicy, PolicyPeer, PolicyRule } from "#model/policy.ts";
import {
  ANYWHERE,
  buildTable,
  cutBlock,
  readAddress,
  type Grant,
  type Span,
} from "./build-table.ts";
import { resolvePorts, usesNames, type PortSet } from "./port-sets.ts";
import { EVERYTHING } from "./read-selector.ts";
import { createIndex, type Index } from "./select.ts";
import { OPEN, type DirectionTable, type VerdictTable } from "./verdict-table.ts";
import type { PolicyInstance, PolicyWorld } from "./world.ts";

/** By id of the instance; instances that no policy selects are not in it. */
export type CompiledPolicies = ReadonlyMap<string, VerdictTable>;

/** Compiles again and again. Policies and instances that have not changed have to be the same objects as before. */
export interface PolicyCompiler {
  /** With `only`, tables of instances with these ids alone. */
  compile(
    policies: readonly NetworkPolicy[],
    world: PolicyWorld,
    options?: { readonly only?: ReadonlySet<string> },
  ): CompiledPolicies;
}

type Direction = "ingress" | "egress";

/** What a rule grants, with a number that stands for it for as long as it is the same. */
interface Granted {
  readonly number: number;
  readonly peers: readonly (readonly PolicyInstance[])[];
  readonly grants: readonly Grant[];
}

/** Equal texts: the same names for the same ports. Instances do not change. */
const nameKeys = new WeakMap<PolicyInstance, string>();

function nameKey(instance: PolicyInstance): string {
  const known = nameKeys.get(instance);
  if (known !== undefined) return known;
  const text = JSON.stringify(instance.ports);
  nameKeys.set(instance, text);
  return text;
}

const DNS: PortSet = (["TCP", "UDP"] as const).map((protocol) => ({
  protocol,
  first: 53,
  last: 53,
}));

function grantTo(instances: readonly PolicyInstance[], ports: PortSet): Grant {
  return { hosts: instances.flatMap(({ addresses }) => addresses), ports };
}

function isInSpans(spans: readonly Span[], address: string): boolean {
  if (spans === ANYWHERE) return true;
  const parsed = readAddress(address);
  return spans.some(
    ({ family, first, last }) =>
      family === parsed?.family && first <= parsed.value && parsed.value <= last,
  );
}

function listPeers(index: Index, scope: string, peer: PolicyPeer): readonly PolicyInstance[] {
  if (peer.kind === "names") return [];
  // A block means instances only where names of ports have to be looked up at them.
  if (peer.kind === "block") return index.inScopes(EVERYTHING, EVERYTHING);
  return peer.scopes === undefined
    ? index.inScope(scope, peer.instances)
    : index.inScopes(peer.scopes, peer.instances);
}

/** A rule to peers whose own names its ports have. */
function grantByName(
  { ports }: PolicyRule,
  peer: PolicyPeer | undefined,
  instances: readonly PolicyInstance[],
): readonly Grant[] {
  const spans = peer?.kind === "block" ? cutBlock(peer.block, peer.except) : ANYWHERE;
  const isRange = peer === undefined || peer.kind === "block";
  const numbered = resolvePorts(ports, []);
  // Most name their ports alike: they are one grant.
  const alike = Map.groupBy(instances, nameKey);
  return [
    ...(isRange ? [{ ranges: spans, ports: numbered }] : []),
    ...[...alike.values()].map((group) => ({
      hosts: group
        .flatMap(({ addresses }) => addresses)
        .filter((address) => !isRange || isInSpans(spans, address)),
      ports: resolvePorts(ports, group[0]?.ports ?? []),
    })),
  ];
}

/** What one rule allows; `called` is who is called where that is the instance itself. */
function listGrants(
  rule: PolicyRule,
  peers: readonly (readonly PolicyInstance[])[],
  called: PolicyInstance | undefined,
  resolvers: readonly string[],
): readonly Grant[] {
  if (called === undefined && usesNames(rule.ports)) {
    if (rule.peers.length === 0) return grantByName(rule, undefined, peers[0] ?? []);
    return rule.peers.flatMap((peer, at) => grantByName(rule, peer, peers[at] ?? []));
  }
  const ports = resolvePorts(rule.ports, called?.ports ?? []);
  if (rule.peers.length === 0) return [{ ranges: ANYWHERE, ports }];
  return rule.peers.map((peer, at) => {
    if (peer.kind === "names") return { hosts: resolvers, ports: DNS };
    return peer.kind === "block"
      ? { ranges: cutBlock(peer.block, peer.except), ports }
      : grantTo(peers[at] ?? [], ports);
  });
}

/** The names that policies allow an instance to call. */
function gatherNames(isolating: readonly NetworkPolicy[]): readonly string[] {
  const rules = isolating.flatMap(({ egress = [] }) => egress);
  const names = rules.flatMap(({ peers }) =>
    peers.flatMap((peer) => (peer.kind === "names" ? peer.names : [])),
  );
  return [...new Set(names)].toSorted();
}

function isSame(
  a: readonly (readonly PolicyInstance[])[],
  b: readonly (readonly PolicyInstance[])[],
): boolean {
  return (
    a.length === b.length &&
    a.every((list, i) => {
      const other = b[i] ?? [];
      return list.length === other.length && list.every((one, j) => one === other[j]);
    })
  );
}

/** Which policies select each instance. */
function gatherSelected(
  policies: readonly NetworkPolicy[],
  index: Index,
  only: ReadonlySet<string> | undefined,
): ReadonlyMap<PolicyInstance, NetworkPolicy[]> {
  const selected = new Map<PolicyInstance, NetworkPolicy[]>();
  for (const policy of policies)
    for (const instance of index.inScope(policy.scope, policy.instances)) {
      if (only?.has(instance.id) === false) continue;
      const list = selected.get(instance);
      if (list === undefined) selected.set(instance, [policy]);
      else list.push(policy);
    }
  return selected;
}

/** A compiler that has compiled nothing yet. */
export function createPolicyCompiler(): PolicyCompiler {
  /** By rule, and by the names of ports of who is called where they matter. */
  const known = new WeakMap<PolicyRule, Map<string, Granted>>();
  let tables = new Map<string, DirectionTable>();
  let numbers = 0;

  function recall(
    rule: PolicyRule,
    names: string,
    peers: readonly (readonly PolicyInstance[])[],
    called: PolicyInstance | undefined,
    resolvers: readonly string[],
  ): Granted {
    const before = known.get(rule) ?? new Map<string, Granted>();
    known.set(rule, before);
    const granted = before.get(names);
    if (granted !== undefined && isSame(granted.peers, peers)) return granted;
    const made = { number: ++numbers, peers, grants: listGrants(rule, peers, called, resolvers) };
    before.set(names, made);
    return made;
  }

  return {
    compile(policies, world, { only } = {}) {
      const index = createIndex(world);
      const used = new Map<string, DirectionTable>();
      /** What was looked up in this turn: the same rule is asked for by all that its policy selects. */
      const turn = new Map<PolicyRule, Map<string, Granted>>();

      function grantsOf(
        scope: string,
        rule: PolicyRule,
        direction: Direction,
        self: PolicyInstance,
      ): Granted {
        const named = usesNames(rule.ports);
        const names = named && direction === "ingress" ? nameKey(self) : direction;
        const seen = turn.get(rule) ?? new Map<string, Granted>();
        turn.set(rule, seen);
        const found = seen.get(names);
        if (found !== undefined) return found;
        const isPeerCalled = named && direction === "egress";
        const meant = rule.peers.map((peer) =>
          peer.kind === "block" && !isPeerCalled ? [] : listPeers(index, scope, peer),
        );
        const peers =
          isPeerCalled && meant.length === 0 ? [index.inScopes(EVERYTHING, EVERYTHING)] : meant;
        const called = direction === "ingress" ? self : undefined;
        const granted = recall(rule, names, peers, called, world.resolvers ?? []);
        seen.set(names, granted);
        return granted;
      }

      function compileDirection(
        isolating: readonly NetworkPolicy[],
        direction: Direction,
        self: PolicyInstance,
      ): DirectionTable | undefined {
        const own = isolating.filter((policy) => policy[direction] !== undefined);
        if (own.length === 0) return undefined;
        const granted = own.flatMap((policy) =>
          (policy[direction] ?? []).map((rule) => grantsOf(policy.scope, rule, direction, self)),
        );
        const key = granted.map(({ number }) => number).join(" ");
        const table =
          used.get(key) ?? tables.get(key) ?? buildTable(granted.flatMap(({ grants }) => grants));
        used.set(key, table);
        return table;
      }

      const compiled = new Map<string, VerdictTable>();
      for (const [instance, isolating] of gatherSelected(policies, index, only)) {
        const names = gatherNames(isolating);
        compiled.set(instance.id, {
          ...(names.length === 0 ? {} : { names }),
          ingress: compileDirection(isolating, "ingress", instance),
          egress: compileDirection(isolating, "egress", instance),
        });
      }
      tables = used;
      return compiled;
    },
  };
}

/** Tables of all instances that any policy selects. */
export function compilePolicies(
  policies: readonly NetworkPolicy[],
  world: PolicyWorld,
): CompiledPolicies {
  return createPolicyCompiler().compile(policies, world);
}

/** The table of an instance. */
export function findTable(compiled: CompiledPolicies, id: string): VerdictTable {
  return compiled.get(id) ?? OPEN;
}
