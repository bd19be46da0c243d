// SPDX-License-Identifier: Apache-2.0
// What an act would make of the facts if it went well. Plans are made by running the loop against this instead of an
// engine, so that a plan is what the loop does, and property tests use the same.
import type { PlannedAction } from "#model/action.ts";
import { OWN_LABELS, type Facts, type InstanceFact } from "#model/facts.ts";
import type { Intent, ServiceIntent, SharedNamespace } from "#model/intent.ts";
import {
  EMPTY_SERVICE_MEMORY,
  EMPTY_SLOT_MEMORY,
  type ScopeMemory,
  type ServiceMemory,
} from "#model/memory.ts";
import { resolveShared } from "./dependencies.ts";
import { rememberAct } from "./heal.ts";
import { normalizeReference } from "./naming.ts";
import { createPass } from "./pass.ts";
import type { ReconcileInput } from "./pass.ts";

/** A world that acts change. `serial` names what is made. */
export interface World {
  readonly facts: Facts;
  readonly memory: ScopeMemory;
  readonly serial: number;
}

type Draft = {
  instances: Map<string, InstanceFact>;
  networks: Map<string, Facts["networks"][number]>;
  volumes: Map<string, Facts["volumes"][number]>;
  images: Set<string>;
  memory: Map<string, ServiceMemory>;
  serial: number;
};

function hasHealthcheck(service: ServiceIntent): boolean {
  const test = service.container.Healthcheck?.Test;
  return test !== undefined && test[0] !== "NONE";
}

function started(
  instance: InstanceFact,
  service: ServiceIntent | undefined,
  nowMs: number,
): InstanceFact {
  const health =
    service !== undefined
      ? hasHealthcheck(service)
        ? "healthy"
        : "none"
      : instance.health === "none"
        ? "none"
        : "healthy";
  return {
    ...instance,
    state: "running",
    health,
    exitCode: 0,
    oomKilled: false,
    error: "",
    startedAtMs: nowMs,
  };
}

function make(draft: Draft, input: ReconcileInput, action: PlannedAction, name: string): void {
  const { spec, slot = 1 } = action;
  if (spec === undefined) return;
  const share = (from: SharedNamespace | undefined): string | undefined => {
    if (from === undefined) return undefined;
    const instances = [...draft.instances.values()];
    return resolveShared(createPass({ ...input, facts: { ...input.facts, instances } }), from, slot)
      ?.id;
  };
  const network =
    spec.network.kind === "service" || spec.network.kind === "container" ? spec.network : undefined;
  const attachments = spec.network.kind === "networks" ? spec.network.attachments : [];
  const names = attachments.map(
    (a) => input.intent.networks.find((n) => n.key === a.network)?.name ?? a.network,
  );
  const id = `new${String(++draft.serial).padStart(9, "0")}`;
  const instance: InstanceFact = {
    id,
    name,
    scope: input.intent.scope,
    service: spec.name,
    slot,
    hash: spec.hash,
    oneoff: false,
    image: spec.container.Image,
    imageId: "",
    state: "created",
    health: "none",
    exitCode: 0,
    oomKilled: false,
    error: "",
    createdAtMs: input.nowMs,
    startedAtMs: 0,
    finishedAtMs: 0,
    engineRestart: "no",
    networkFrom: share(network),
    pidFrom: share(spec.pid),
    ipcFrom: share(spec.ipc),
    labels: { [OWN_LABELS.scope]: input.intent.scope },
    addresses: Object.fromEntries(names.map((n) => [n, ""])),
    ports: [],
  };
  draft.instances.set(id, started(instance, spec, input.nowMs));
}

function freeName(draft: Draft, name: string): string {
  for (const instance of draft.instances.values())
    if (instance.name === name) return `${name}-next`;
  return name;
}

/** Services that others wait for to complete: in a simulation they do, at once. */
function findJobs(intent: Intent): Set<string> {
  const awaited = intent.services.flatMap((service) =>
    service.dependsOn.filter((d) => d.condition === "completed").map((d) => d.service),
  );
  const once = (name: string): boolean => {
    const policy = intent.services.find((service) => service.name === name)?.restart.policy;
    return policy !== "always" && policy !== "unless-stopped";
  };
  return new Set(awaited.filter(once));
}

function completeJobs(draft: Draft, input: ReconcileInput): void {
  const jobs = findJobs(input.intent);
  if (jobs.size === 0) return;
  for (const instance of draft.instances.values()) {
    if (instance.scope !== input.intent.scope || !jobs.has(instance.service)) continue;
    if (instance.state !== "running" || instance.startedAtMs !== input.nowMs) continue;
    draft.instances.set(instance.id, { ...instance, state: "exited", finishedAtMs: input.nowMs });
  }
}

function remember(draft: Draft, action: PlannedAction, nowMs: number): void {
  if (action.service === undefined) return;
  const memory = draft.memory.get(action.service) ?? EMPTY_SERVICE_MEMORY;
  const slot = memory.slots[String(action.slot ?? 0)] ?? EMPTY_SLOT_MEMORY;
  if (action.act === "instance.adopt" && action.target !== undefined && action.spec !== undefined) {
    draft.memory.set(action.service, {
      ...memory,
      adopted: { ...memory.adopted, [action.target]: action.spec.hash },
    });
  } else if (action.act === "service.quarantine") {
    const slots = {
      ...memory.slots,
      [String(action.slot ?? 0)]: { ...slot, quarantinedAtMs: nowMs },
    };
    draft.memory.set(action.service, { ...memory, slots });
  } else if (action.act === "service.rollback" || action.act === "service.pauseRollout") {
    const rolloutFailed = {
      hash: action.spec?.hash ?? "",
      atMs: nowMs,
      reason: action.trigger.detail,
    };
    draft.memory.set(action.service, { ...memory, rolloutFailed });
  } else if (action.budget !== undefined) {
    const slots = {
      ...memory.slots,
      [String(action.slot ?? 0)]: rememberAct(
        slot,
        slot.consecutive,
        action.budget.windowMs,
        nowMs,
      ),
    };
    draft.memory.set(action.service, { ...memory, slots });
  }
}

function applyToInstance(draft: Draft, input: ReconcileInput, action: PlannedAction): void {
  const target = action.target === undefined ? undefined : draft.instances.get(action.target);
  switch (action.act) {
    case "instance.create":
      make(draft, input, action, freeName(draft, action.object));
      return;
    case "instance.replace": {
      if (target !== undefined) draft.instances.delete(target.id);
      const next =
        action.successor === undefined ? undefined : draft.instances.get(action.successor);
      if (next === undefined) make(draft, input, action, freeName(draft, action.object));
      else draft.instances.set(next.id, started(next, action.spec, input.nowMs));
      return;
    }
    case "instance.start":
    case "instance.restart":
      if (target !== undefined)
        draft.instances.set(target.id, started(target, action.spec, input.nowMs));
      return;
    case "instance.stop":
      if (target !== undefined)
        draft.instances.set(target.id, {
          ...target,
          state: "exited",
          exitCode: 143,
          finishedAtMs: input.nowMs,
        });
      return;
    case "instance.rename":
      if (target !== undefined) draft.instances.set(target.id, { ...target, name: action.object });
      return;
    case "service.rollback":
    case "service.pauseRollout":
    case "instance.remove":
    case "instance.reap":
      if (target !== undefined) draft.instances.delete(target.id);
      return;
    default:
  }
}

function applyOne(draft: Draft, input: ReconcileInput, action: PlannedAction): void {
  remember(draft, action, input.nowMs);
  const { network, volume } = action;
  if (action.act === "network.create" && network !== undefined) {
    const labels = {
      [OWN_LABELS.scope]: input.intent.scope,
      [OWN_LABELS.hash]: network.hash,
      [OWN_LABELS.key]: network.key,
    };
    draft.networks.set(network.name, {
      id: `net-${network.name}`,
      name: network.name,
      driver: network.driver ?? "bridge",
      labels,
    });
  } else if (action.act === "network.remove") draft.networks.delete(action.object);
  else if (action.act === "volume.create" && volume !== undefined) {
    draft.volumes.set(volume.name, {
      name: volume.name,
      labels: { [OWN_LABELS.scope]: input.intent.scope, [OWN_LABELS.key]: volume.key },
    });
  } else if (action.act === "volume.remove") draft.volumes.delete(action.object);
  else if (action.act === "image.pull") draft.images.add(normalizeReference(action.object));
  else applyToInstance(draft, input, action);
}

/** The world after all `actions` went well at `input.nowMs`. */
export function applyActions(
  input: ReconcileInput,
  actions: readonly PlannedAction[],
  serial: number,
): World {
  const { facts } = input;
  const draft: Draft = {
    instances: new Map(facts.instances.map((instance) => [instance.id, instance])),
    networks: new Map(facts.networks.map((network) => [network.name, network])),
    volumes: new Map(facts.volumes.map((volume) => [volume.name, volume])),
    images: new Set(facts.images),
    memory: new Map(input.memory),
    serial,
  };
  for (const action of actions) applyOne(draft, input, action);
  completeJobs(draft, input);
  return {
    facts: {
      ...facts,
      asOfMs: input.nowMs,
      instances: [...draft.instances.values()],
      networks: [...draft.networks.values()],
      volumes: [...draft.volumes.values()],
      images: draft.images,
    },
    memory: draft.memory,
    serial: draft.serial,
  };
}
