// SPDX-License-Identifier: Apache-2.0
// Policies and who there is to one table for each instance. What a rule grants is kept for as long as it means the same
// peers, and a table for as long as it comes from the same grants: after a change only what it touches is made anew.
import type { NetworkPolicy, PolicyPeer, PolicyRule } from "#model/policy.ts";
import { buildTable, type Grant } from "./build-table.ts";
import {
  createIndexer,
  isSameList,
  keepList,
  textOfPorts,
  type Index,
  type Peer,
} from "./index-world.ts";
import { listGrants } from "./list-grants.ts";
import { usesNames } from "./port-sets.ts";
import { EVERYTHING } from "./read-selector.ts";
import { shareLists } from "./share-lists.ts";
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
  readonly meant: readonly (readonly Peer[])[];
  readonly grants: readonly Grant[];
}

const NOBODY: readonly Peer[] = [];

/** By rule, and by the names of ports of who is called where they matter. */
type Grants = WeakMap<PolicyRule, Map<string, Granted>>;

/** The names that policies allow an instance to call. */
function gatherNames(isolating: readonly NetworkPolicy[]): readonly string[] {
  const names = new Set<string>();
  for (const { egress = [] } of isolating)
    for (const { peers } of egress)
      for (const peer of peers)
        if (peer.kind === "names") for (const name of peer.names) names.add(name);
  return [...names].toSorted();
}

/** What one turn of the compiler looks at. */
interface Turn {
  readonly index: Index;
  /** Who may be asked for addresses of names. */
  readonly resolvers: readonly Peer[];
  /** What was looked up in this turn: the same rule is asked for by all that its policy selects. */
  readonly seen: Grants;
}

/** Whom a peer of a rule means, as far as what the rule grants depends on them. */
function listMeant(
  { index, resolvers }: Turn,
  scope: string,
  peer: PolicyPeer,
  isPeerCalled: boolean,
): readonly Peer[] {
  if (peer.kind === "names") return resolvers;
  // A block means instances only where names of ports have to be looked up at them.
  if (peer.kind === "block")
    return isPeerCalled ? index.listPeersAcross(EVERYTHING, EVERYTHING) : NOBODY;
  return peer.scopes === undefined
    ? index.listPeers(scope, peer.instances)
    : index.listPeersAcross(peer.scopes, peer.instances);
}

/** A compiler that has compiled nothing yet. */
export function createPolicyCompiler(): PolicyCompiler {
  const indexer = createIndexer();
  const known: Grants = new WeakMap();
  let resolversBefore: readonly string[] = [];
  let resolvers: readonly Peer[] = [];
  let tables = new Map<string, DirectionTable>();
  let count = 0;

  function begin(world: PolicyWorld): Turn {
    const addresses = keepList(resolversBefore, world.resolvers ?? []);
    if (addresses !== resolversBefore) resolvers = [{ addresses, ports: [] }];
    resolversBefore = addresses;
    return { index: indexer.turn(world), resolvers, seen: new WeakMap() };
  }

  function grant(
    turn: Turn,
    { scope }: NetworkPolicy,
    rule: PolicyRule,
    direction: Direction,
    self: PolicyInstance,
  ): Granted {
    const named = usesNames(rule.ports);
    const names = named && direction === "ingress" ? textOfPorts(self) : direction;
    const seen = recall(turn.seen, rule);
    const found = seen.get(names);
    if (found !== undefined) return found;
    const isPeerCalled = named && direction === "egress";
    const listed = rule.peers.map((peer) => listMeant(turn, scope, peer, isPeerCalled));
    const isEverybody = isPeerCalled && rule.peers.length === 0;
    const meant = isEverybody ? [turn.index.listPeersAcross(EVERYTHING, EVERYTHING)] : listed;
    const before = recall(known, rule);
    const last = before.get(names);
    const isGood = last !== undefined && isSameList(last.meant, meant);
    const called = direction === "ingress" ? self : undefined;
    const granted = isGood
      ? last
      : { number: ++count, meant, grants: listGrants(rule, meant, called) };
    before.set(names, granted);
    seen.set(names, granted);
    return granted;
  }

  return {
    compile(policies, world, { only } = {}) {
      const turn = begin(world);
      const used = new Map<string, DirectionTable>();

      function compileDirection(
        isolating: readonly NetworkPolicy[],
        direction: Direction,
        self: PolicyInstance,
      ): DirectionTable | undefined {
        const own = isolating.filter((policy) => policy[direction] !== undefined);
        if (own.length === 0) return undefined;
        const granted = own.flatMap((policy) =>
          (policy[direction] ?? []).map((rule) => grant(turn, policy, rule, direction, self)),
        );
        const key = granted.map(({ number }) => number).join(" ");
        const table =
          used.get(key) ?? tables.get(key) ?? buildTable(granted.flatMap(({ grants }) => grants));
        used.set(key, table);
        return table;
      }

      function compileFor(self: PolicyInstance, isolating: readonly NetworkPolicy[]): VerdictTable {
        const names = gatherNames(isolating);
        return {
          ...(names.length === 0 ? {} : { names }),
          ingress: compileDirection(isolating, "ingress", self),
          egress: compileDirection(isolating, "egress", self),
        };
      }

      const { numbers: selected, lists } = shareLists(
        policies.map((one) => [turn.index.select(one.scope, one.instances), one] as const),
      );
      /** By list of policies and names of ports: the same for all instances of most services. */
      const alike = lists.map(() => new Map<string, VerdictTable>());
      const compiled = new Map<string, VerdictTable>();
      for (const [instance, list] of selected) {
        if (only?.has(instance.id) === false) continue;
        const names = textOfPorts(instance);
        const table = alike[list]?.get(names) ?? compileFor(instance, lists[list] ?? []);
        alike[list]?.set(names, table);
        compiled.set(instance.id, table);
      }
      tables = used;
      return compiled;
    },
  };
}

function recall(grants: Grants, rule: PolicyRule): Map<string, Granted> {
  const known = grants.get(rule);
  if (known !== undefined) return known;
  const made = new Map<string, Granted>();
  grants.set(rule, made);
  return made;
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
