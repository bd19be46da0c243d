// SPDX-License-Identifier: Apache-2.0
// How a service changes its configuration: how many at once, in which order, and what happens when the new one fails.
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import type { ServiceMemory } from "#model/memory.ts";
import { hashOf, isReady, type Pass } from "./pass.ts";

/** Which configuration a service is to have now. */
export interface Wanted {
  readonly spec: ServiceIntent;
  /** True while a failed change is on hold: what runs stays, whatever its configuration. */
  readonly hold: boolean;
}

/** The configuration of the intent, unless it has failed: then what ran before, or what runs. */
export function chooseWanted(service: ServiceIntent, memory: ServiceMemory): Wanted {
  if (memory.rolloutFailed?.hash !== service.hash) return { spec: service, hold: false };
  if (service.update.onFailure === "rollback" && memory.previous !== undefined) {
    return { spec: { ...memory.previous, replicas: service.replicas }, hold: false };
  }
  return { spec: service, hold: true };
}

/** What forbids two instances of one slot side by side, or undefined. */
export function findStopFirstReason(service: ServiceIntent): string | undefined {
  if (service.update.order === "stop-first") return "update_config.order is stop-first";
  const { HostConfig } = service.container;
  const bound = Object.entries(HostConfig?.PortBindings ?? {}).find(([, bindings]) =>
    bindings.some((binding) => (binding.HostPort ?? "") !== "" && !binding.HostPort?.includes("-")),
  );
  if (bound !== undefined) return `host port ${bound[1][0]?.HostPort ?? ""} can be bound once only`;
  if (service.network.kind === "host") return "it uses the network of the host";
  if (service.fixedName !== undefined)
    return `container_name ${service.fixedName} can be used once only`;
  if (service.network.kind === "networks") {
    const fixed = service.network.attachments.find(
      (a) => a.ipv4Address ?? a.ipv6Address ?? a.macAddress,
    );
    if (fixed !== undefined) return `its address on network ${fixed.network} can be used once only`;
  }
  if (service.update.order === "start-first") return undefined;
  const shared = (HostConfig?.Mounts ?? []).find(
    (mount) => mount.Type === "volume" && mount.ReadOnly !== true && mount.Source,
  );
  if (shared !== undefined) return `volume ${shared.Source ?? ""} may not bear two writers`;
  return undefined;
}

/** The containers of one slot by what they are to the wanted configuration. */
export interface SlotParts {
  /** Those with the wanted configuration, the best first. */
  readonly current: readonly InstanceFact[];
  /** Those with another, the best first. */
  readonly outdated: readonly InstanceFact[];
}

const RANK: Readonly<Record<string, number>> = {
  running: 5,
  paused: 4,
  restarting: 3,
  exited: 2,
  created: 1,
  dead: 0,
  removing: -1,
};

function rank(instance: InstanceFact): number {
  const health = instance.health === "unhealthy" ? -0.5 : 0;
  return (RANK[instance.state] ?? 0) + health;
}

/** Sorts the containers of one slot; the order is total, so that two passes choose alike. */
export function splitSlot(
  instances: readonly InstanceFact[],
  wanted: Wanted,
  memory: ServiceMemory,
): SlotParts {
  const alive = instances.filter((instance) => instance.state !== "removing");
  const sorted =
    alive.length < 2
      ? alive
      : [...alive].sort(
          (a, b) => rank(b) - rank(a) || b.createdAtMs - a.createdAtMs || (a.id < b.id ? -1 : 1),
        );
  const isCurrent = (instance: InstanceFact): boolean =>
    hashOf(instance, memory) === wanted.spec.hash;
  const current = sorted.filter(isCurrent);
  const outdated = sorted.filter((instance) => !isCurrent(instance));
  if (wanted.hold && current.length === 0) return { current: outdated, outdated: [] };
  return { current, outdated };
}

/** How many more instances of the service may be taken through a change in this pass. */
export interface Pace {
  /** True, and one fewer left, when another may change now. */
  take(): boolean;
  readonly reason: string;
}

/** Counts the instances that are in the middle of something and says who may follow. */
export function createPace(pass: Pass, service: ServiceIntent, memory: ServiceMemory): Pace {
  const { parallelism, delayMs, monitorMs } = service.update;
  let left = parallelism === 0 ? Number.MAX_SAFE_INTEGER : parallelism;
  let lastChangeMs = 0;
  for (const [slot, instances] of pass.slotsOf(service.name)) {
    if (slot > service.replicas) continue;
    const current = instances.filter((instance) => hashOf(instance, memory) === service.hash);
    for (const instance of current) lastChangeMs = Math.max(lastChangeMs, instance.createdAtMs);
    const settled = current.length === 0 || current.some((i) => isReady(i, monitorMs, pass.nowMs));
    const pair = current.length > 0 && current.length < instances.length;
    if (pass.busy.has(`${service.name}/${slot}`) || !settled || pair) left--;
  }
  const early = delayMs > 0 && lastChangeMs > 0 && pass.nowMs < lastChangeMs + delayMs;
  if (early)
    pass.wait({
      service: service.name,
      kind: "updating",
      reason: "waits for update_config.delay",
      untilMs: lastChangeMs + delayMs,
    });
  return {
    take: () => !early && left-- > 0,
    reason: early ? "update_config.delay" : `update_config.parallelism is ${parallelism}`,
  };
}
