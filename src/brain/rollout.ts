// SPDX-License-Identifier: Apache-2.0
// How a service changes: which configuration it is to have, what may run side by side, what counts as outdated.
import type { Rule, Trigger } from "#model/decision.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import type { ServiceMemory } from "#model/memory.ts";
import { findSharedWrites } from "./mounts.ts";
import { hashOf, isManaged, isUnfinished } from "./pass.ts";
import { isToRecreate } from "./request.ts";

/** Which configuration a service is to have now. */
export interface Wanted {
  readonly spec: ServiceIntent;
  /** True while a failed change is on hold: what runs stays, whatever its configuration. */
  readonly hold: boolean;
  /** True while a failed change is being taken back: there is nothing further to go back to. */
  readonly back: boolean;
  /** What ran before the last change, with the number of replicas of now. */
  readonly previous: ServiceIntent | undefined;
}

/** What ran before, as often and where it is wanted now. */
function likeNow(before: ServiceIntent, { replicas, slots }: ServiceIntent): ServiceIntent {
  const { slots: _slots, ...previous } = before;
  return { ...previous, replicas, ...(slots === undefined ? {} : { slots }) };
}

/** The configuration of the intent, unless it has failed: then what ran before, or what runs. */
export function chooseWanted(service: ServiceIntent, memory: ServiceMemory): Wanted {
  const known = memory.previous === undefined || memory.previous.hash === service.hash;
  const previous = known ? undefined : likeNow(memory.previous, service);
  const failed = memory.rolloutFailed?.hash === service.hash;
  if (!failed) return { spec: service, hold: false, back: false, previous };
  if (service.update.onFailure === "rollback" && previous !== undefined)
    return { spec: previous, hold: false, back: true, previous };
  return { spec: service, hold: true, back: false, previous };
}

/** The configuration that `instance` has, as far as it is known: for what it was made with, if a change is on hold. */
export function specOf(
  wanted: Wanted,
  instance: InstanceFact,
  memory: ServiceMemory,
): ServiceIntent {
  const { previous, spec } = wanted;
  return previous !== undefined && hashOf(instance, memory) === previous.hash ? previous : spec;
}

function isFixedPort(hostPort: string | undefined): boolean {
  return hostPort !== undefined && hostPort !== "" && hostPort !== "0" && !hostPort.includes("-");
}

/** What forbids the instance `old` and another of its slot side by side, or undefined. */
export function findStopFirstReason(
  service: ServiceIntent,
  old?: InstanceFact,
): string | undefined {
  if (service.update.order === "stop-first") return "update_config.order is stop-first";
  const { HostConfig, MacAddress } = service.container;
  const bindings = Object.values(HostConfig?.PortBindings ?? {}).flat();
  const bound = bindings.find((binding) => isFixedPort(binding.HostPort));
  if (bound !== undefined) return `host port ${bound.HostPort ?? ""} can be bound once only`;
  const { network, fixedName } = service;
  if (network.kind === "host") return "it uses the network of the host";
  if (network.kind === "service" || network.kind === "container")
    return "it shares the network of another container";
  if (fixedName !== undefined) return `container_name ${fixedName} can be used once only`;
  if (MacAddress !== undefined) return `MAC address ${MacAddress} can be used once only`;
  if (network.kind === "networks") {
    const fixed = network.attachments.find((a) => a.ipv4Address ?? a.ipv6Address ?? a.macAddress);
    if (fixed !== undefined) return `its address on network ${fixed.network} can be used once only`;
  }
  if (service.update.order === "start-first") return undefined;
  const shared = findSharedWrites(service, old);
  return shared === undefined ? undefined : `${shared} may not bear two writers`;
}

/** Why an instance with the wanted configuration is to be made anew all the same. */
export interface Renewal {
  readonly trigger: Trigger;
  readonly rule: Rule;
}

/** A person asked for it, or a limit of age is reached. */
export function findRenewal(
  instance: InstanceFact,
  spec: ServiceIntent,
  memory: ServiceMemory,
  nowMs: number,
): Renewal | undefined {
  const { recreateRequested } = memory;
  if (recreateRequested !== undefined && isToRecreate(recreateRequested, instance)) {
    const detail = "recreation was asked for";
    return {
      trigger: { kind: "person", detail, atMs: recreateRequested.atMs },
      rule: { text: "up --recreate" },
    };
  }
  if (spec.ttlMs === undefined || nowMs - instance.createdAtMs < spec.ttlMs) return undefined;
  return {
    trigger: { kind: "schedule", detail: "it reached its time to live", atMs: nowMs },
    rule: { text: "fairlead.ttl", at: spec.origins["labels.fairlead.ttl"] ?? spec.at },
  };
}

/** The containers of one slot by what they are to the wanted configuration. */
export interface SlotParts {
  /** Those with the wanted configuration, the best first. */
  readonly current: readonly InstanceFact[];
  /** Those with another, or due to be renewed; the best first. */
  readonly outdated: readonly InstanceFact[];
  /** Those that Fairlead neither made nor adopted, the best first. */
  readonly foreign: readonly InstanceFact[];
  /** Those whose making was cut off. */
  readonly unfinished: readonly InstanceFact[];
}

/** Sorts the containers of one slot; `instances` come the best first. */
export function splitSlot(
  instances: readonly InstanceFact[],
  wanted: Wanted,
  memory: ServiceMemory,
  nowMs: number,
): SlotParts {
  const current: InstanceFact[] = [];
  const outdated: InstanceFact[] = [];
  const foreign: InstanceFact[] = [];
  const unfinished: InstanceFact[] = [];
  for (const instance of instances) {
    if (instance.state === "removing") continue;
    if (isUnfinished(instance)) unfinished.push(instance);
    else if (!isManaged(instance, memory)) foreign.push(instance);
    else if (
      hashOf(instance, memory) === wanted.spec.hash &&
      findRenewal(instance, wanted.spec, memory, nowMs) === undefined
    )
      current.push(instance);
    else outdated.push(instance);
  }
  if (wanted.hold && current.length === 0)
    return { current: outdated, outdated: [], foreign, unfinished };
  return { current, outdated, foreign, unfinished };
}
