// SPDX-License-Identifier: Apache-2.0
// How a scope stands, in the words that every face shows.
import type {
  InstanceView,
  ScopeView,
  ServiceState,
  ServiceView,
} from "@fairlead/protocol/views.ts";
import { isIpv6 } from "#base/addresses.ts";
import type { PlannedAction, Reconciliation, Waiting } from "#model/action.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { Diagnostic, ServiceIntent } from "#model/intent.ts";
import { EMPTY_SERVICE_MEMORY, type ServiceMemory } from "#model/memory.ts";
import { listDependencies } from "./dependencies.ts";
import { describeExit, diagnose } from "./diagnosis.ts";
import { describeHeal } from "./heal.ts";
import { hashOf, isHealthy, type ReconcileInput } from "./pass.ts";
import { listSlots } from "./slots.ts";

/** What a scope is judged by: the input of a pass, its result, and whether `down` was asked for. */
export interface AssessInput extends ReconcileInput {
  readonly reconciliation: Reconciliation;
  readonly removing: boolean;
}

function viewIpv6({ endpoints = {} }: InstanceFact): Pick<InstanceView, "addresses6"> {
  const found = Object.entries(endpoints).flatMap(([network, { addresses }]) =>
    addresses.filter(isIpv6).map((address) => [network, address] as const),
  );
  return found.length === 0 ? {} : { addresses6: Object.fromEntries(found) };
}

function viewInstance(instance: InstanceFact, current: boolean, adopted: boolean): InstanceView {
  return {
    id: instance.id,
    name: instance.name,
    scope: instance.scope,
    service: instance.service,
    slot: instance.slot,
    image: instance.image,
    state: instance.state,
    health: instance.health,
    ...(instance.finishedAtMs > 0 && instance.state !== "running"
      ? { exitCode: instance.exitCode }
      : {}),
    oomKilled: instance.oomKilled,
    ...(instance.startedAtMs > 0 ? { startedAtMs: instance.startedAtMs } : {}),
    ...(instance.finishedAtMs > 0 ? { finishedAtMs: instance.finishedAtMs } : {}),
    createdAtMs: instance.createdAtMs,
    ports: instance.ports.map((port) => ({ ...port })),
    addresses: { ...instance.addresses },
    ...viewIpv6(instance),
    current,
    adopted,
  };
}

const STATE_OF_WAIT: Readonly<Record<Waiting["kind"], ServiceState>> = {
  paused: "paused",
  quarantined: "quarantined",
  failed: "degraded",
  backoff: "healing",
  blocked: "waiting",
  updating: "updating",
  starting: "starting",
};
const WORST_FIRST: readonly Waiting["kind"][] = [
  "paused",
  "quarantined",
  "failed",
  "backoff",
  "blocked",
  "updating",
  "starting",
];

interface Standing {
  readonly state: ServiceState;
  readonly reason: string;
}

function judgeWaiting(waiting: readonly Waiting[]): Standing | undefined {
  for (const kind of WORST_FIRST) {
    const found = waiting.find((entry) => entry.kind === kind);
    if (found !== undefined) return { state: STATE_OF_WAIT[kind], reason: found.reason };
  }
  return undefined;
}

function judgeActs(next: PlannedAction | undefined, busy: boolean): Standing | undefined {
  if (next !== undefined) {
    const healing = next.budget !== undefined || next.act === "service.quarantine";
    const changing = ["change", "person", "agent"].includes(next.trigger.kind);
    const state = healing
      ? "healing"
      : changing
        ? "updating"
        : next.act === "instance.adopt"
          ? "ok"
          : "starting";
    return { state, reason: next.trigger.detail };
  }
  return busy ? { state: "starting", reason: "an act is running" } : undefined;
}

function describeIllness(instance: InstanceFact): string {
  return instance.state === "running" ? "health check failed" : describeExit(instance);
}

function judgeInstances(
  input: AssessInput,
  service: ServiceIntent,
  slots: readonly InstanceFact[],
  memory: ServiceMemory,
): Standing {
  if (service.replicas === 0) return { state: "stopped", reason: "0 replicas are wanted" };
  const resting = slots.flatMap((instance) => {
    const diagnosis = diagnose(instance, service, memory, input.facts);
    return diagnosis.kind === "rests" ? [diagnosis] : [];
  });
  const stopped = resting.find((diagnosis) => !diagnosis.completed);
  if (stopped !== undefined) return { state: "stopped", reason: stopped.reason };
  const ill = slots.find(
    (instance) => diagnose(instance, service, memory, input.facts).kind === "failed",
  );
  if (ill !== undefined)
    return { state: "degraded", reason: `${ill.name}: ${describeIllness(ill)}` };
  const odd = slots.find((instance) => !isHealthy(instance) && instance.state !== "exited");
  if (odd?.state === "paused")
    return { state: "paused", reason: `${odd.name} is paused in the engine` };
  if (odd?.state === "restarting")
    return { state: "healing", reason: `the engine restarts ${odd.name}` };
  if (odd !== undefined)
    return { state: "starting", reason: `${odd.name}: ${odd.state}, health ${odd.health}` };
  if (resting.length > 0 && resting.length === slots.length)
    return { state: "completed", reason: resting[0]?.reason ?? "" };
  return { state: "ok", reason: "" };
}

function bestOf(instances: readonly InstanceFact[]): InstanceFact | undefined {
  return instances.find(isHealthy) ?? instances.find((i) => i.state === "running") ?? instances[0];
}

/** What concerns one service, out of what concerns the scope. */
interface Share {
  readonly instances: readonly InstanceFact[];
  readonly waiting: readonly Waiting[];
  readonly warnings: readonly Diagnostic[];
  /** What is decided on next, and whether an act is running. */
  readonly next: PlannedAction | undefined;
  readonly busy: boolean;
}

function assessService(input: AssessInput, service: ServiceIntent, share: Share): ServiceView {
  const { instances, waiting, warnings } = share;
  const memory = input.memory.get(service.name) ?? EMPTY_SERVICE_MEMORY;
  const slots = groupBy(instances, (instance) => String(instance.slot));
  const wantedSlots = listSlots(service).map((slot) => bestOf(slots.get(String(slot)) ?? []));
  const there = wantedSlots.filter((instance) => instance !== undefined);
  const standing: Standing = input.removing
    ? { state: "removing", reason: "down was asked for" }
    : (judgeWaiting(waiting) ??
      judgeActs(share.next, share.busy) ??
      judgeInstances(input, service, there, memory));
  const used = Object.values(memory.slots).map(
    (slot) => slot.acts.filter((atMs) => atMs > input.nowMs - service.heal.windowMs).length,
  );
  const paused = memory.pausedUntilMs !== undefined && memory.pausedUntilMs > input.nowMs;
  return {
    scope: input.intent.scope,
    name: service.name,
    mode: "manage",
    ...standing,
    image: service.container.Image,
    wanted: wantedSlots.length,
    running: there.filter((instance) => instance.state === "running").length,
    healthy: there.filter(isHealthy).length,
    current: there.filter((instance) => hashOf(instance, memory) === service.hash).length,
    ports: instances.flatMap((instance) => instance.ports.map((port) => ({ ...port }))),
    dependsOn: listDependencies(service).map((dependency) => dependency.service),
    heal: describeHeal(service),
    healUsed: Math.max(0, ...used),
    healMax: service.heal.actsMax,
    ...(paused ? { pausedUntilMs: memory.pausedUntilMs } : {}),
    at: service.at,
    warnings: [...warnings],
    instances: instances.map((instance) =>
      viewInstance(
        instance,
        hashOf(instance, memory) === service.hash,
        memory.adopted[instance.id] !== undefined,
      ),
    ),
  };
}

function groupBy<T>(items: Iterable<T>, keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

const AT_REST: ReadonlySet<ServiceState> = new Set(["ok", "completed", "stopped", "paused"]);

/** How a managed scope stands. Warnings of the file go to the service whose lines they are in. */
export function assessScope(input: AssessInput): ScopeView {
  const { intent, facts, reconciliation } = input;
  const mine = facts.instances.filter((i) => i.scope === intent.scope && !i.oneoff);
  const instances = groupBy(
    mine.sort((a, b) => a.slot - b.slot || a.createdAtMs - b.createdAtMs),
    (i) => i.service,
  );
  const waiting = groupBy(reconciliation.waiting, (entry) => entry.service);
  const warnings = groupBy(intent.diagnostics, (diagnostic) =>
    findService(intent.services, diagnostic),
  );
  const next = groupBy(reconciliation.actions, (action) => action.service ?? "");
  // A key is `service/slot`; names of services have no slash.
  const busy = new Set([...input.busy].map((key) => key.slice(0, key.indexOf("/"))));
  const services = intent.services.map((service) =>
    assessService(input, service, {
      instances: instances.get(service.name) ?? [],
      waiting: waiting.get(service.name) ?? [],
      warnings: warnings.get(service.name) ?? [],
      next: next.get(service.name)?.[0],
      busy: busy.has(service.name),
    }),
  );
  const settled =
    services.every((service) => AT_REST.has(service.state)) &&
    reconciliation.actions.length === 0 &&
    input.busy.size === 0;
  return {
    scope: intent.scope,
    mode: "manage",
    settled: input.removing ? false : settled,
    removing: input.removing,
    services,
    files: [...intent.files],
  };
}

function findService(services: readonly ServiceIntent[], diagnostic: Diagnostic): string {
  const { at } = diagnostic;
  let best = "";
  let bestLine = 0;
  for (const service of services) {
    const line = service.at.line ?? 0;
    if (at?.line === undefined || service.at.file !== at.file || line > at.line || line < bestLine)
      continue;
    best = service.name;
    bestLine = line;
  }
  return best;
}

/** How a scope that Fairlead only observes stands: what there is counts as wanted. */
export function observeScope(scope: string, facts: readonly InstanceFact[]): ScopeView {
  const services = [...groupBy(facts, (instance) => instance.service || instance.name)].map(
    ([name, instances]): ServiceView => {
      const bad = instances.find(
        (instance) =>
          !isHealthy(instance) && !(instance.state === "exited" && instance.exitCode === 0),
      );
      const running = instances.filter((instance) => instance.state === "running").length;
      const resting = running === 0 && bad === undefined;
      return {
        scope,
        name,
        mode: "observe",
        state: bad === undefined ? (resting ? "stopped" : "ok") : "degraded",
        reason:
          bad === undefined
            ? ""
            : `${bad.name}: ${bad.state === "running" ? `health ${bad.health}` : describeExit(bad)}`,
        image: instances[0]?.image ?? "",
        wanted: instances.length,
        running,
        healthy: instances.filter(isHealthy).length,
        current: instances.length,
        ports: instances.flatMap((instance) => instance.ports.map((port) => ({ ...port }))),
        dependsOn: [],
        heal: "observe only",
        healUsed: 0,
        healMax: 0,
        warnings: [],
        instances: instances.map((instance) => viewInstance(instance, true, false)),
      };
    },
  );
  return { scope, mode: "observe", settled: true, removing: false, services, files: [] };
}
