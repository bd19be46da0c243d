// SPDX-License-Identifier: Apache-2.0
// Containers that agents left behind: past their `fairlead.ttl`, or with a `fairlead.owner` that is gone. What a managed
// scope wants as instances of its services is not judged here, whoever made it: reconcile renews it by the limit of age
// that the service has in the intent, and the labels that a container bears may be older than that.
import { parseDuration } from "#base/duration.ts";
import type { PlannedAction, Reconciliation } from "#model/action.ts";
import type { Trigger } from "#model/decision.ts";
import type { InstanceFact } from "#model/facts.ts";
import { shortName } from "./naming.ts";
import { isOwn, type Hold } from "./pass.ts";

/** An owner that ended may be on its way back; after the longest back-off it counts as gone. */
const OWNER_GRACE_MS = 60_000;
/** A container may be seen before its owner is made or read; until this age a missing owner is waited for. */
const OWNER_ARRIVAL_MS = 10_000;
/** Ids of containers are written whole or cut to this length, as the engine's tools print them. */
const ID_LENGTH_MIN = 12;

/** All containers of the engine, at `nowMs`. Keys in `busy` and `held` are `reap/` and the id of a container. */
export interface ReapInput {
  readonly instances: readonly InstanceFact[];
  /**
   * Scopes that Fairlead manages, with the names of the services that they want. In other scopes a container has to ask
   * for it with `fairlead.manage: "true"`.
   */
  readonly managed: Pick<ReadonlyMap<string, ReadonlySet<string>>, "get" | "has">;
  readonly nowMs: number;
  readonly busy: ReadonlySet<string>;
  readonly held: ReadonlyMap<string, Hold>;
}

/** What is to be reaped now, when to look again, and what is only told. */
export interface ReapResult extends Reconciliation {
  /** What would be reaped if its scope were managed. */
  readonly observed: readonly PlannedAction[];
}

/** A label that cannot be read is reported where labels are checked; here it only means that nothing is reaped. */
function readTtl(instance: InstanceFact): number | undefined {
  const text = instance.labels["fairlead.ttl"];
  if (text === undefined) return undefined;
  try {
    return parseDuration(text);
  } catch {
    return undefined;
  }
}

/** When the containers of one name are gone: the last of them, and the last but that one. */
interface Lives {
  readonly lastId: string;
  readonly endMs: number;
  readonly nextEndMs: number;
}

/** 0 for one that is gone, Infinity for one that lives. */
function findLifeEnd(instance: InstanceFact): number {
  if (instance.state === "dead" || instance.state === "removing") return 0;
  return instance.state === "exited" ? instance.finishedAtMs + OWNER_GRACE_MS : Infinity;
}

/** What containers can be called as owners: by name, by the name of their slot, by id, by service within a scope. */
function indexOwners(instances: readonly InstanceFact[]): ReadonlyMap<string, Lives> {
  const owners = new Map<string, Lives>();
  const add = (key: string, { id }: InstanceFact, endMs: number): void => {
    const known = owners.get(key);
    if (known === undefined) owners.set(key, { lastId: id, endMs, nextEndMs: 0 });
    else if (endMs > known.endMs) owners.set(key, { lastId: id, endMs, nextEndMs: known.endMs });
    else if (endMs > known.nextEndMs) owners.set(key, { ...known, nextEndMs: endMs });
  };
  for (const instance of instances) {
    const { scope, service, slot, id } = instance;
    const endMs = findLifeEnd(instance);
    add(`name ${instance.name}`, instance, endMs);
    add(`id ${id}`, instance, endMs);
    if (id.length > ID_LENGTH_MIN) add(`id ${id.slice(0, ID_LENGTH_MIN)}`, instance, endMs);
    if (service === "") continue;
    add(`service ${scope} ${service}`, instance, endMs);
    // While an owner is replaced, the new one bears a passing name for a moment.
    const settled = `${scope}-${shortName(service, slot)}`;
    if (settled !== instance.name) add(`name ${settled}`, instance, endMs);
  }
  return owners;
}

/** When the last of the owners of `instance` counts as gone; Infinity while one lives. */
function findOwnerEnd(
  owner: string,
  instance: InstanceFact,
  owners: ReadonlyMap<string, Lives>,
): number {
  const keys = [`name ${owner}`, `service ${instance.scope} ${owner}`, `id ${owner}`];
  const ends = keys.map((key) => {
    const lives = owners.get(key);
    if (lives === undefined) return 0;
    return lives.lastId === instance.id ? lives.nextEndMs : lives.endMs;
  });
  return Math.max(...ends, instance.createdAtMs + OWNER_ARRIVAL_MS);
}

interface End {
  readonly atMs: number;
  readonly trigger: Trigger;
}

/** When and why a container has outlived what it is for; undefined when it is bound to nothing. */
function findEnd(
  instance: InstanceFact,
  owners: ReadonlyMap<string, Lives>,
  nowMs: number,
): End | undefined {
  const ttlMs = readTtl(instance);
  const owner = instance.labels["fairlead.owner"];
  const ttlEndMs = ttlMs === undefined ? Infinity : instance.createdAtMs + ttlMs;
  const ownerEndMs =
    owner === undefined || owner === "" ? Infinity : findOwnerEnd(owner, instance, owners);
  if (ttlEndMs === Infinity && ownerEndMs === Infinity) return undefined;
  if (ttlEndMs <= nowMs || ttlEndMs <= ownerEndMs) {
    const detail = `it is older than its fairlead.ttl of ${instance.labels["fairlead.ttl"] ?? ""}`;
    return { atMs: ttlEndMs, trigger: { kind: "schedule", detail, atMs: nowMs } };
  }
  const detail = `its owner ${owner ?? ""} is gone`;
  return { atMs: ownerEndMs, trigger: { kind: "owner", detail, atMs: nowMs } };
}

function makeReap(instance: InstanceFact, trigger: Trigger, nowMs: number): PlannedAction {
  return {
    key: `reap/${instance.id}`,
    act: "instance.reap",
    ...(instance.service === "" ? {} : { service: instance.service }),
    object: instance.name,
    target: instance.id,
    title: `reaped ${instance.name}`,
    trigger,
    rule: { text: trigger.kind === "owner" ? "label fairlead.owner" : "label fairlead.ttl" },
    inputs: { ageMs: nowMs - instance.createdAtMs, state: instance.state },
    notDone: [],
  };
}

/** True for what reconcile decides on: all that a wanted service has, and what Fairlead made. */
function isReconciled(instance: InstanceFact, managed: ReapInput["managed"]): boolean {
  const services = managed.get(instance.scope);
  if (services === undefined || instance.oneoff) return false;
  return isOwn(instance) || services.has(instance.service);
}

function isBound(instance: InstanceFact, managed: ReapInput["managed"]): boolean {
  if (
    instance.labels["fairlead.ttl"] === undefined &&
    instance.labels["fairlead.owner"] === undefined
  )
    return false;
  if (instance.state === "removing") return false;
  return !isReconciled(instance, managed);
}

/** Decides which containers have outlived what they were for. */
export function planReap(input: ReapInput): ReapResult {
  const { managed, nowMs, busy, held } = input;
  const actions: PlannedAction[] = [];
  const observed: PlannedAction[] = [];
  let wakeAtMs: number | undefined;
  const wakeAt = (atMs: number): void => {
    if (atMs > nowMs && atMs < (wakeAtMs ?? Infinity)) wakeAtMs = atMs;
  };
  const bound = input.instances.filter((instance) => isBound(instance, managed));
  const owners = indexOwners(bound.length === 0 ? [] : input.instances);
  for (const instance of bound) {
    const end = findEnd(instance, owners, nowMs);
    if (end === undefined) continue;
    wakeAt(end.atMs);
    if (end.atMs > nowMs) continue;
    const action = makeReap(instance, end.trigger, nowMs);
    const hold = held.get(action.key);
    if (busy.has(action.key) || hold?.final === true) continue;
    if (hold !== undefined && hold.untilMs > nowMs) {
      wakeAt(hold.untilMs);
      continue;
    }
    const asked = instance.labels["fairlead.manage"] === "true" || managed.has(instance.scope);
    (asked ? actions : observed).push(action);
  }
  return { actions, observed, waiting: [], wakeAtMs };
}
