// SPDX-License-Identifier: Apache-2.0
// Containers that agents left behind: past their `fairlead.ttl`, or with a `fairlead.owner` that is gone.
import { parseDuration } from "#base/duration.ts";
import type { PlannedAction, Reconciliation, Waiting } from "#model/action.ts";
import type { Trigger } from "#model/decision.ts";
import type { InstanceFact } from "#model/facts.ts";
import { isOwn, type Hold } from "./pass.ts";

export interface ReapInput {
  readonly instances: readonly InstanceFact[];
  /** Scopes that Fairlead manages: in others a container has to ask for it with `fairlead.manage: "true"`. */
  readonly managed: ReadonlySet<string>;
  readonly nowMs: number;
  readonly busy: ReadonlySet<string>;
  readonly held: ReadonlyMap<string, Hold>;
}

export interface ReapResult extends Reconciliation {
  /** What would be reaped if its scope were managed. */
  readonly observed: readonly PlannedAction[];
}

interface Age {
  readonly ttlMs: number | undefined;
  readonly owner: string | undefined;
}

function readAge(instance: InstanceFact): Age {
  const owner = instance.labels["fairlead.owner"];
  const ttl = instance.labels["fairlead.ttl"];
  return { owner, ttlMs: ttl === undefined ? undefined : parseQuietly(ttl) };
}

/** A label that cannot be read is reported where labels are checked; here it only means that nothing is reaped. */
function parseQuietly(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch {
    return undefined;
  }
}

/** An owner is a container by name or id, or a service of the same scope, that is not gone or dead. */
function isOwnerThere(
  owner: string,
  instance: InstanceFact,
  all: readonly InstanceFact[],
): boolean {
  return all.some(
    (other) =>
      other.id !== instance.id &&
      other.state !== "dead" &&
      other.state !== "exited" &&
      other.state !== "removing" &&
      (other.name === owner ||
        (owner.length >= 12 && other.id.startsWith(owner)) ||
        (other.scope === instance.scope && other.service === owner && owner !== "")),
  );
}

function findEnd(instance: InstanceFact, age: Age, input: ReapInput): Trigger | undefined {
  const { nowMs } = input;
  if (age.ttlMs !== undefined && nowMs - instance.createdAtMs >= age.ttlMs) {
    const ttl = instance.labels["fairlead.ttl"] ?? "";
    return { kind: "schedule", detail: `it is older than its fairlead.ttl of ${ttl}`, atMs: nowMs };
  }
  if (age.owner !== undefined && !isOwnerThere(age.owner, instance, input.instances)) {
    return { kind: "owner", detail: `its owner ${age.owner} is gone`, atMs: nowMs };
  }
  return undefined;
}

/** Decides which containers have outlived what they were for. Instances of managed services are left to reconcile. */
export function planReap(input: ReapInput): ReapResult {
  const actions: PlannedAction[] = [];
  const observed: PlannedAction[] = [];
  const waiting: Waiting[] = [];
  let wakeAtMs: number | undefined;
  for (const instance of input.instances) {
    if (
      instance.labels["fairlead.ttl"] === undefined &&
      instance.labels["fairlead.owner"] === undefined
    )
      continue;
    if ((isOwn(instance) && !instance.oneoff) || instance.state === "removing") continue;
    const age = readAge(instance);
    const endMs = age.ttlMs === undefined ? undefined : instance.createdAtMs + age.ttlMs;
    if (endMs !== undefined && endMs > input.nowMs) wakeAtMs = Math.min(wakeAtMs ?? endMs, endMs);
    const trigger = findEnd(instance, age, input);
    const key = `reap/${instance.id}`;
    const hold = input.held.get(key);
    if (trigger === undefined || input.busy.has(key)) continue;
    if (hold !== undefined && (hold.final || hold.untilMs > input.nowMs)) continue;
    const asked =
      instance.labels["fairlead.manage"] === "true" || input.managed.has(instance.scope);
    (asked ? actions : observed).push({
      key,
      act: "instance.reap",
      ...(instance.service === "" ? {} : { service: instance.service }),
      object: instance.name,
      target: instance.id,
      title: `reaped ${instance.name}`,
      trigger,
      rule: { text: trigger.kind === "owner" ? "label fairlead.owner" : "label fairlead.ttl" },
      inputs: { ageMs: input.nowMs - instance.createdAtMs, state: instance.state },
      notDone: [],
    });
  }
  return { actions, observed, waiting, wakeAtMs };
}
