// SPDX-License-Identifier: Apache-2.0
// depends_on, at first start and at run time alike.
import type { InstanceFact } from "#model/facts.ts";
import type { Dependency, ServiceIntent, SharedNamespace } from "#model/intent.ts";
import { findPauseEnd, isHealthy, type Pass } from "./pass.ts";
import { listSlots } from "./slots.ts";

/** Services whose namespaces or volumes `service` shares. */
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
  const shared = sharedServices(service);
  if (shared.length === 0) return service.dependsOn;
  const declared = new Set(service.dependsOn.map((dependency) => dependency.service));
  const implied = [...new Set(shared)]
    .filter((name) => !declared.has(name) && name !== service.name)
    .map((name) => ({
      service: name,
      condition: "started" as const,
      restart: false,
      required: true,
    }));
  return [...service.dependsOn, ...implied];
}

/** The best container of each wanted slot of a service, undefined where there is none. */
function findBest(pass: Pass, service: ServiceIntent): readonly (InstanceFact | undefined)[] {
  const { best } = pass.findings;
  let found = best.get(service);
  if (found === undefined) {
    const slots = pass.slotsOf(service.name);
    found = listSlots(service).map((slot) => slots.get(slot)?.[0]);
    best.set(service, found);
  }
  return found;
}

function isCompleted(instance: InstanceFact | undefined): boolean {
  return instance?.state === "exited" && instance.exitCode === 0 && instance.startedAtMs > 0;
}

function satisfies(dependency: Dependency, instance: InstanceFact | undefined): boolean {
  if (instance === undefined) return false;
  if (dependency.condition === "completed") return isCompleted(instance);
  if (dependency.condition === "healthy")
    return instance.state === "running" && instance.health === "healthy";
  return instance.state === "running" || isCompleted(instance);
}

/**
 * True when the dependency holds. At a first start all instances count, later one is enough; of a fleet those of other
 * nodes too. While nothing is known of those, they are no obstacle.
 */
function holds(
  pass: Pass,
  dependency: Dependency,
  found: readonly (InstanceFact | undefined)[],
  first: boolean,
): boolean {
  const test = (instance: InstanceFact | undefined): boolean => satisfies(dependency, instance);
  const away = pass.elsewhere?.get(dependency.service);
  const there = away?.[dependency.condition] ?? 0;
  if (first || dependency.condition === "completed")
    return found.every(test) && there >= (away?.wanted ?? 0);
  return found.some(test) || there > 0 || (away === undefined && found.length === 0);
}

function describe(dependency: Dependency, found: readonly (InstanceFact | undefined)[]): string {
  const name = dependency.service;
  const first =
    found.find((instance) => instance !== undefined && !satisfies(dependency, instance)) ??
    found.find((instance) => !satisfies(dependency, instance));
  if (first === undefined) return `waits for ${name}, which is not there yet`;
  if (dependency.condition === "completed") {
    return first.state === "exited"
      ? `${name} had to end with code 0 and ended with code ${first.exitCode}`
      : `waits for ${name} to complete (${first.state})`;
  }
  if (lacksHealthcheck(dependency, first))
    return `waits for ${name} to be healthy, and ${name} has no health check`;
  const wanted = dependency.condition === "healthy" ? "healthy" : "running";
  const state = first.state === "running" ? `health ${first.health}` : first.state;
  return `waits for ${name} to be ${wanted} (${state})`;
}

function lacksHealthcheck(dependency: Dependency, instance: InstanceFact | undefined): boolean {
  return (
    dependency.condition === "healthy" &&
    instance?.state === "running" &&
    instance.health === "none"
  );
}

/** Why `service` may not start now, or undefined. `first`: the slot has never run. */
export function findBlock(pass: Pass, service: ServiceIntent, first: boolean): string | undefined {
  const { firstBlocks, laterBlocks } = pass.findings;
  const blocks = first ? firstBlocks : laterBlocks;
  if (blocks.has(service)) return blocks.get(service);
  // Set before it is computed: dependencies in a circle must not go round for ever.
  blocks.set(service, undefined);
  const reason = computeBlock(pass, service, first);
  blocks.set(service, reason);
  return reason;
}

function computeBlock(pass: Pass, service: ServiceIntent, first: boolean): string | undefined {
  for (const dependency of listDependencies(service)) {
    const other = pass.services.get(dependency.service);
    if (other === undefined || other.replicas === 0) {
      if (!dependency.required) continue;
      return other === undefined
        ? `depends on ${dependency.service}, which the scope does not have`
        : `depends on ${dependency.service}, which has 0 replicas`;
    }
    const found = findBest(pass, other);
    if (holds(pass, dependency, found, first)) continue;
    if (dependency.required || isComing(pass, dependency, other))
      return describe(dependency, found);
  }
  return undefined;
}

/** With `required: false` a dependency is waited for while it is on its way, and done without once it is not. */
function isComing(pass: Pass, dependency: Dependency, other: ServiceIntent): boolean {
  const memory = pass.memoryOf(other.name);
  if (findPauseEnd(memory, pass.nowMs) !== undefined) return false;
  const slots = listSlots(other);
  return findBest(pass, other).every((instance, index) => {
    if (satisfies(dependency, instance)) return true;
    const slot = slots[index] ?? 0;
    if (pass.held.has(`${other.name}/${slot}`)) return false;
    if ((memory.slots[String(slot)]?.consecutive ?? 0) > 0) return false;
    if (instance === undefined) {
      const lacks = pass.findings.gaps.get(other);
      return findBlock(pass, other, true) === undefined && lacks?.final !== true;
    }
    if (instance.state === "created") return instance.error === "";
    if (instance.state !== "running") return false;
    return dependency.condition === "completed" || instance.health === "starting";
  });
}

/** True when `service` waits for a dependency that will not come as it is now. */
export function isBlockFinal(pass: Pass, service: ServiceIntent): boolean {
  const { finalBlocks } = pass.findings;
  let final = finalBlocks.get(service);
  if (final === undefined) finalBlocks.set(service, (final = computeFinal(pass, service)));
  return final;
}

function computeFinal(pass: Pass, service: ServiceIntent): boolean {
  return listDependencies(service).some((dependency) => {
    if (!dependency.required) return false;
    const other = pass.services.get(dependency.service);
    if (other === undefined) return true;
    const found = findBest(pass, other);
    if (found.some((instance) => lacksHealthcheck(dependency, instance))) return true;
    if (dependency.condition !== "completed" || other.restart.policy !== "no") return false;
    return found.some((i) => i?.state === "exited" && i.exitCode !== 0);
  });
}

/** When the first of the instances of `service` was started; undefined unless all are there and up. */
function findOldestStart(pass: Pass, dependency: Dependency, service: ServiceIntent): number {
  const { oldestStart } = pass.findings;
  if (!oldestStart.has(service)) {
    const found = findBest(pass, service);
    const up = found.length > 0 && found.every((i) => i !== undefined && isHealthy(i));
    oldestStart.set(
      service,
      up ? found.reduce((min, i) => Math.min(min, i?.startedAtMs ?? 0), Infinity) : undefined,
    );
  }
  const startMs = oldestStart.get(service);
  if (startMs === undefined || !holds(pass, dependency, findBest(pass, service), true)) return 0;
  return startMs;
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
    if (!dependency.restart || dependency.condition === "completed") continue;
    const other = pass.services.get(dependency.service);
    if (other === undefined) continue;
    if (findOldestStart(pass, dependency, other) > instance.startedAtMs) return dependency.service;
  }
  return undefined;
}
