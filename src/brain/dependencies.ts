// SPDX-License-Identifier: Apache-2.0
// depends_on and shared namespaces, at first start and at run time alike.
import type { InstanceFact } from "#model/facts.ts";
import type { Dependency, ServiceIntent, SharedNamespace } from "#model/intent.ts";
import { isHealthy, type Pass } from "./pass.ts";

/** Services whose namespaces `service` shares. */
export function sharedServices(service: ServiceIntent): string[] {
  const shared: (SharedNamespace | undefined)[] = [
    service.network.kind === "service" ? service.network : undefined,
    service.pid,
    service.ipc,
    ...service.volumesFrom.map((volumes) => volumes.from),
  ];
  return shared.flatMap((from) => (from?.kind === "service" ? [from.service] : []));
}

/** Everything that has to be there before `service`: declared and implied. */
export function listDependencies(service: ServiceIntent): readonly Dependency[] {
  const declared = new Set(service.dependsOn.map((dependency) => dependency.service));
  const implied = sharedServices(service)
    .filter((name) => !declared.has(name))
    .map((name) => ({
      service: name,
      condition: "started" as const,
      restart: false,
      required: true,
    }));
  return [...service.dependsOn, ...implied];
}

/** The best container of each wanted slot of a service, undefined where there is none. */
function wantedInstances(pass: Pass, service: ServiceIntent): (InstanceFact | undefined)[] {
  const slots = pass.slotsOf(service.name);
  return Array.from({ length: service.replicas }, (_, index) => {
    const instances = slots.get(index + 1) ?? [];
    return (
      instances.find(isHealthy) ?? instances.find((i) => i.state === "running") ?? instances[0]
    );
  });
}

function isCompleted(instance: InstanceFact | undefined): boolean {
  return instance?.state === "exited" && instance.exitCode === 0 && instance.startedAtMs > 0;
}

/** True when the dependency holds. At a first start all instances count, later one is enough. */
function holds(
  dependency: Dependency,
  found: (InstanceFact | undefined)[],
  first: boolean,
): boolean {
  const test = (instance: InstanceFact | undefined): boolean => {
    if (instance === undefined) return false;
    if (dependency.condition === "completed") return isCompleted(instance);
    if (dependency.condition === "healthy") {
      return instance.state === "running" && instance.health === "healthy";
    }
    return instance.state === "running" || isCompleted(instance);
  };
  return first || dependency.condition === "completed" ? found.every(test) : found.some(test);
}

function describe(dependency: Dependency, found: (InstanceFact | undefined)[]): string {
  const name = dependency.service;
  const first =
    found.find((instance) => instance !== undefined && !isHealthy(instance)) ?? found[0];
  if (first === undefined) return `waits for ${name}, which is not there yet`;
  if (dependency.condition === "completed") {
    return first.state === "exited"
      ? `${name} had to end with code 0 and ended with code ${first.exitCode}`
      : `waits for ${name} to complete (${first.state})`;
  }
  const wanted = dependency.condition === "healthy" ? "healthy" : "running";
  const state = first.state === "running" ? `health ${first.health}` : first.state;
  return `waits for ${name} to be ${wanted} (${state})`;
}

/** Why `service` may not start now, or undefined. `first`: the slot has never run. */
export function findBlock(pass: Pass, service: ServiceIntent, first: boolean): string | undefined {
  const key = `${service.name} ${first}`;
  if (pass.blocks.has(key)) return pass.blocks.get(key);
  const reason = computeBlock(pass, service, first);
  pass.blocks.set(key, reason);
  return reason;
}

function computeBlock(pass: Pass, service: ServiceIntent, first: boolean): string | undefined {
  for (const dependency of listDependencies(service)) {
    if (!dependency.required) continue;
    const other = pass.services.get(dependency.service);
    if (other === undefined)
      return `depends on ${dependency.service}, which the scope does not have`;
    if (other.replicas === 0) return `depends on ${dependency.service}, which has 0 replicas`;
    const found = wantedInstances(pass, other);
    if (!holds(dependency, found, first)) return describe(dependency, found);
  }
  return undefined;
}

/** True when `service` waits for a dependency that has ended in a way that satisfies nobody. */
export function isBlockFinal(pass: Pass, service: ServiceIntent): boolean {
  return listDependencies(service).some((dependency) => {
    const other = pass.services.get(dependency.service);
    if (other === undefined || !dependency.required)
      return other === undefined && dependency.required;
    if (dependency.condition !== "completed" || other.restart.policy !== "no") return false;
    return wantedInstances(pass, other).some((i) => i?.state === "exited" && i.exitCode !== 0);
  });
}

/**
 * The dependency with `restart: true` that has been started again since `instance` was. With several replicas all of
 * them must be newer, so that scaling a dependency restarts nobody.
 */
export function findNewerDependency(
  pass: Pass,
  service: ServiceIntent,
  instance: InstanceFact,
): string | undefined {
  for (const dependency of service.dependsOn) {
    const other = pass.services.get(dependency.service);
    if (!dependency.restart || dependency.condition === "completed" || other === undefined)
      continue;
    const found = wantedInstances(pass, other);
    const newer = found.every((i) => i !== undefined && i.startedAtMs > instance.startedAtMs);
    if (newer && found.length > 0 && holds(dependency, found, true)) return dependency.service;
  }
  return undefined;
}

/** The container that a shared namespace means now, or undefined while there is none. */
export function resolveShared(
  pass: Pass,
  shared: SharedNamespace,
  slot: number,
): InstanceFact | undefined {
  if (shared.kind === "container") return pass.findInstance(shared.container);
  const slots = pass.slotsOf(shared.service);
  const candidates = slots.get(slot) ?? slots.get(1) ?? [];
  return candidates.find((instance) => instance.state === "running") ?? candidates[0];
}

export type NamespaceFault =
  | { readonly kind: "gone"; readonly what: string }
  | { readonly kind: "renewed"; readonly what: string };

/**
 * gone: the container whose namespace `instance` shares was replaced, so it has to be made anew.
 * renewed: that container was restarted, so its namespace is a new one and `instance` has to be restarted.
 */
export function findNamespaceFault(
  pass: Pass,
  service: ServiceIntent,
  instance: InstanceFact,
): NamespaceFault | undefined {
  const shares: [string, SharedNamespace | undefined, string | undefined][] = [
    [
      "network",
      service.network.kind === "service" || service.network.kind === "container"
        ? service.network
        : undefined,
      instance.networkFrom,
    ],
    ["pid", service.pid, instance.pidFrom],
    ["ipc", service.ipc, instance.ipcFrom],
  ];
  for (const [namespace, shared, joined] of shares) {
    if (shared === undefined) continue;
    const holder = resolveShared(pass, shared, instance.slot);
    if (holder === undefined || holder.state !== "running") continue;
    if (joined !== undefined && joined !== holder.id && joined !== holder.name) {
      return {
        kind: "gone",
        what: `${holder.name} was replaced and its ${namespace} namespace with it`,
      };
    }
    if (holder.startedAtMs > instance.startedAtMs && instance.state === "running") {
      return {
        kind: "renewed",
        what: `${holder.name} was restarted and has a new ${namespace} namespace`,
      };
    }
  }
  return undefined;
}
