// SPDX-License-Identifier: Apache-2.0
// What an act would make of the facts if it went well. Plans are made by running the loop against this instead of an
// engine, so that a plan is what the loop does, and property tests use the same.
import type { PlannedAction } from "#model/action.ts";
import { OWN_LABELS, type Facts, type InstanceFact } from "#model/facts.ts";
import type { Intent, ServiceIntent, SharedNamespace } from "#model/intent.ts";
import type { ScopeMemory } from "#model/memory.ts";
import { createDraft, type Draft } from "./draft.ts";
import { resolveShared } from "./namespaces.ts";
import { nameInstance, normalizeReference } from "./naming.ts";
import type { ReconcileInput } from "./pass.ts";
import { rememberAction } from "./remember.ts";

/** A world that acts change. `serial` names what is made. */
export interface World {
  readonly facts: Facts;
  readonly memory: ScopeMemory;
  readonly serial: number;
}

function hasHealthcheck(service: ServiceIntent): boolean {
  const test = service.container.Healthcheck?.Test;
  return test !== undefined && test[0] !== "NONE";
}

/** What others wait for to complete does so at once, unless it is one that always runs. */
function isJob(draft: Draft, service: ServiceIntent | undefined): boolean {
  const policy = service?.restart.policy;
  return (
    service !== undefined &&
    draft.awaited.has(service.name) &&
    policy !== "always" &&
    policy !== "unless-stopped"
  );
}

function start(draft: Draft, instance: InstanceFact, service: ServiceIntent | undefined): void {
  const { nowMs } = draft;
  const times = { startedAtMs: nowMs, exitCode: 0, oomKilled: false, error: "" };
  if (isJob(draft, service)) {
    draft.put({ ...instance, ...times, state: "exited", health: "none", finishedAtMs: nowMs });
    return;
  }
  const checked = service === undefined ? instance.health !== "none" : hasHealthcheck(service);
  draft.put({ ...instance, ...times, state: "running", health: checked ? "healthy" : "none" });
}

function listNetworkNames(intent: Intent, spec: ServiceIntent): string[] {
  if (spec.network.kind !== "networks") return [];
  return spec.network.attachments.map(
    ({ network }) => intent.networks.find((known) => known.key === network)?.name ?? network,
  );
}

function make(draft: Draft, action: PlannedAction): void {
  const { spec, slot = 1 } = action;
  if (spec === undefined) return;
  const { intent, nowMs } = draft;
  const share = (from: SharedNamespace | undefined): string | undefined =>
    from === undefined ? undefined : resolveShared(draft, from, slot)?.id;
  const { network } = spec;
  const shares = network.kind === "service" || network.kind === "container";
  const settled = nameInstance(intent.scope, spec, slot);
  const taken = draft.findInstance(settled) !== undefined;
  const instance: InstanceFact = {
    id: `new${String(++draft.serial).padStart(9, "0")}`,
    name: taken ? `${settled}-${spec.hash.slice(0, 6)}` : settled,
    scope: intent.scope,
    service: spec.name,
    slot,
    hash: spec.hash,
    oneoff: false,
    image: spec.container.Image,
    imageId: draft.images.get(normalizeReference(spec.container.Image)) ?? "",
    state: "created",
    health: "none",
    exitCode: 0,
    oomKilled: false,
    error: "",
    createdAtMs: nowMs,
    startedAtMs: 0,
    finishedAtMs: 0,
    engineRestart: "no",
    networkFrom: share(shares ? network : undefined),
    pidFrom: share(spec.pid),
    ipcFrom: share(spec.ipc),
    anonymousVolumes: [],
    labels: { [OWN_LABELS.scope]: intent.scope },
    addresses: Object.fromEntries(listNetworkNames(intent, spec).map((name) => [name, ""])),
    ports: [],
  };
  start(draft, instance, spec);
}

/** The one that stays takes the name of the slot when that is free. */
function takeName(draft: Draft, action: PlannedAction): void {
  const successor = draft.get(action.successor);
  if (successor === undefined || action.spec === undefined) return;
  const name = nameInstance(draft.intent.scope, action.spec, action.slot ?? 1);
  if (draft.findInstance(name) === undefined) draft.put({ ...successor, name });
}

function applyToInstance(draft: Draft, action: PlannedAction): void {
  const target = draft.get(action.target);
  switch (action.act) {
    case "instance.create":
      make(draft, action);
      return;
    case "instance.replace": {
      if (target !== undefined) draft.remove(target.id);
      const successor = draft.get(action.successor);
      if (successor === undefined) make(draft, action);
      else start(draft, successor, action.spec);
      takeName(draft, action);
      return;
    }
    case "instance.start":
    case "instance.restart":
      if (target !== undefined) start(draft, target, action.spec);
      return;
    case "instance.stop":
      if (target !== undefined)
        draft.put({
          ...target,
          state: "exited",
          exitCode: 143,
          finishedAtMs: draft.nowMs,
        });
      return;
    case "instance.rename":
      if (target !== undefined) draft.put({ ...target, name: action.object });
      return;
    case "service.rollback":
    case "service.pauseRollout":
    case "instance.remove":
    case "instance.reap":
      if (target !== undefined) draft.remove(target.id);
      takeName(draft, action);
      return;
    default:
  }
}

function applyToResource(draft: Draft, action: PlannedAction): boolean {
  const { network, volume, object } = action;
  const { scope } = draft.intent;
  if (action.act === "network.create" && network !== undefined) {
    const { name, hash, key, driver = "bridge" } = network;
    const labels = { [OWN_LABELS.scope]: scope, [OWN_LABELS.hash]: hash, [OWN_LABELS.key]: key };
    draft.networks.set(name, { id: `net-${name}`, name, driver, labels });
  } else if (action.act === "network.remove") draft.networks.delete(object);
  else if (action.act === "volume.create" && volume !== undefined) {
    const labels = { [OWN_LABELS.scope]: scope, [OWN_LABELS.key]: volume.key };
    draft.volumes.set(volume.name, { name: volume.name, labels });
  } else if (action.act === "volume.remove") draft.volumes.delete(object);
  else if (action.act === "image.pull" || action.act === "image.fetch")
    draft.images.set(normalizeReference(object), "");
  else return false;
  return true;
}

/** Changes `draft` as `actions` do when they go well, at its present time. */
export function applyToDraft(draft: Draft, actions: readonly PlannedAction[]): void {
  for (const action of actions) {
    const change = rememberAction(action, draft.nowMs);
    if (change !== undefined && action.service !== undefined)
      draft.remember(action.service, change);
    if (!applyToResource(draft, action)) applyToInstance(draft, action);
  }
}

/** The world after all `actions` went well at `input.nowMs`. */
export function applyActions(
  input: ReconcileInput,
  actions: readonly PlannedAction[],
  serial: number,
): World {
  const draft = createDraft(input, serial);
  applyToDraft(draft, actions);
  const { asOfMs, engineGap, node, instances, networks, volumes, images } = draft.readFacts();
  return {
    facts: { asOfMs, engineGap, node, instances, networks, volumes, images },
    memory: draft.memory,
    serial: draft.serial,
  };
}
