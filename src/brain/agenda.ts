// SPDX-License-Identifier: Apache-2.0
// Which parts of a scope have to be looked at again after simulated acts. A plan of a long depends_on chain is as many
// rounds as the chain is long; looking at everything in each of them would cost the square of its length.
import type { PlannedAction, Reconciliation } from "#model/action.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import { listDependencies } from "./dependencies.ts";
import type { Ground } from "./ground.ts";
import { createPass, type ReconcileInput } from "./pass.ts";
import { listParts } from "./reconcile.ts";

/** A pass of many, of which each looks only at what those before it can have changed. */
export interface Agenda {
  /** The same result as a whole pass, but that `waiting` and `wakeAtMs` are left out while there is something to do. */
  look(input: ReconcileInput, ground: Ground): Reconciliation;
  /** Notes what was done since the last look: the acts, and the containers before and after. */
  note(actions: readonly PlannedAction[], touched: readonly InstanceFact[]): void;
}

/** Containers that a configuration names: by a fixed name of its own, or as holders of what it shares. */
function listNamed(service: ServiceIntent): string[] {
  const { network, pid, ipc, fixedName } = service;
  const shared = [network, pid, ipc].flatMap((from) =>
    from?.kind === "container" ? [from.container] : [],
  );
  return fixedName === undefined ? shared : [fixedName, ...shared];
}

/** What a service may be planned as: as it is wanted, and as it was before a change that failed. */
function listVersions(service: ServiceIntent, input: ReconcileInput): readonly ServiceIntent[] {
  const previous = input.memory.get(service.name)?.previous;
  return previous === undefined ? [service] : [service, previous];
}

function addTo<K>(map: Map<K, Set<number>>, key: K, value: number): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, new Set([value]));
  else known.add(value);
}

/** Service, or name or id of a container, to the parts whose result depends on it. */
interface Readers {
  readonly ofService: ReadonlyMap<string, ReadonlySet<number>>;
  readonly ofInstance: ReadonlyMap<string, ReadonlySet<number>>;
}

function findReaders(
  parts: readonly { readonly service: ServiceIntent | undefined }[],
  input: ReconcileInput,
): Readers {
  const ofService = new Map<string, Set<number>>();
  const ofInstance = new Map<string, Set<number>>();
  for (const [index, { service }] of parts.entries()) {
    if (service === undefined) continue;
    addTo(ofService, service.name, index);
    for (const version of listVersions(service, input)) {
      for (const name of listNamed(version)) addTo(ofInstance, name, index);
      for (const dependency of listDependencies(version))
        addTo(ofService, dependency.service, index);
    }
  }
  return { ofService, ofInstance };
}

/**
 * Parts that are looked at together, by each of their members. Whether a dependency with `required: false` is on its way
 * depends on what that service itself waits for, and so on down the chain.
 */
function groupParts(
  parts: readonly { readonly service: ServiceIntent | undefined }[],
  input: ReconcileInput,
): ReadonlyMap<number, readonly number[]> {
  const indexes = new Map(parts.map(({ service }, index) => [service?.name, index]));
  const groups = new Map<number, number[]>();
  for (const [index, { service }] of parts.entries()) {
    if (service === undefined) continue;
    const dependencies = listVersions(service, input).flatMap(listDependencies);
    for (const { service: name, required } of dependencies) {
      const other = indexes.get(name);
      if (required || other === undefined) continue;
      const mine = groups.get(index) ?? [index];
      const theirs = groups.get(other) ?? [other];
      if (mine === theirs) continue;
      const [few, many] = mine.length < theirs.length ? [mine, theirs] : [theirs, mine];
      many.push(...few);
      for (const member of many.length === 2 ? many : few) groups.set(member, many);
    }
  }
  return groups;
}

/** `shop-web-2` is a name that the service `web` of the scope `shop` may want. */
function readServiceOf(name: string, scope: string): string | undefined {
  const end = name.lastIndexOf("-");
  return name.startsWith(`${scope}-`) && end > scope.length
    ? name.slice(scope.length + 1, end)
    : undefined;
}

function isResourceAct(action: PlannedAction): boolean {
  return !action.act.startsWith("instance.") && !action.act.startsWith("service.");
}

const NOTHING: Reconciliation = { actions: [], waiting: [], wakeAtMs: undefined };

/** Starts with everything to be looked at. */
export function createAgenda(first: ReconcileInput): Agenda {
  const { scope } = first.intent;
  const parts = listParts(first.intent);
  const last = parts.length - 1;
  const wanted = new Set(parts.map((part) => part.service?.name));
  const { ofService, ofInstance } = findReaders(parts, first);
  const groups = groupParts(parts, first);
  const results: Reconciliation[] = parts.map(() => NOTHING);
  const due = new Set(parts.keys());
  /** No part asked for a look before this time. */
  let quietUntilMs = Infinity;

  function addAll(indexes: Iterable<number> = []): void {
    for (const index of indexes) for (const member of groups.get(index) ?? [index]) due.add(member);
  }
  function addOverdue(nowMs: number): void {
    if (nowMs < quietUntilMs) return;
    quietUntilMs = Infinity;
    for (const [index, { wakeAtMs = Infinity }] of results.entries()) {
      if (wakeAtMs <= nowMs) addAll([index]);
      else quietUntilMs = Math.min(quietUntilMs, wakeAtMs);
    }
  }
  function sum(actions: readonly PlannedAction[]): Reconciliation {
    if (actions.length > 0) return { ...NOTHING, actions };
    const wakeAtMs = Math.min(...results.map((result) => result.wakeAtMs ?? Infinity));
    return {
      actions,
      waiting: results.flatMap((result) => result.waiting),
      wakeAtMs: wakeAtMs === Infinity ? undefined : wakeAtMs,
    };
  }
  return {
    look(input, ground) {
      addOverdue(input.nowMs);
      const pass = createPass(input, ground);
      const actions: PlannedAction[] = [];
      for (const index of [...due].sort((a, b) => a - b)) {
        parts[index]?.plan(pass);
        const result = pass.take();
        results[index] = result;
        actions.push(...result.actions);
        quietUntilMs = Math.min(quietUntilMs, result.wakeAtMs ?? Infinity);
      }
      due.clear();
      // Networks that are not as wanted depend on every container that is attached.
      const [resources = NOTHING] = results;
      if (resources.actions.length + resources.waiting.length > 0) due.add(0);
      return sum(actions);
    },
    note(actions, touched) {
      if (actions.some(isResourceAct)) addAll(parts.keys());
      for (const { service } of actions) if (service !== undefined) addAll(ofService.get(service));
      for (const { service, name, id } of touched) {
        if (!wanted.has(service)) due.add(last);
        addAll(ofService.get(service));
        addAll(ofInstance.get(name));
        addAll(ofInstance.get(id));
        addAll(ofService.get(readServiceOf(name, scope) ?? ""));
      }
    },
  };
}
