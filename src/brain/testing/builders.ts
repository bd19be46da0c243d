// SPDX-License-Identifier: Apache-2.0
// Facts and intents for tests: everything has a plain default, a test names what it is about.
import { HEAL_DEFAULT } from "@fairlead/protocol/heal-default.ts";
import { PLACEMENT_DEFAULT } from "@fairlead/protocol/intent.ts";
import type { ReconcileInput } from "#brain/pass.ts";
import type { NodeTraits } from "#model/constraint.ts";
import { OWN_LABELS, type Facts, type InstanceFact } from "#model/facts.ts";
import type { Dependency, Intent, NetworkIntent, ServiceIntent } from "#model/intent.ts";
import { EMPTY_SERVICE_MEMORY, type ServiceMemory } from "#model/memory.ts";

/** Now, in every test that does not say otherwise: milliseconds since 1970. */
export const NOW_MS = 1_800_000_000_000;
/** The scope of every test. */
export const SCOPE = "shop";
/** A health check that runs each second. */
export const HEALTHCHECK = { Test: ["CMD", "check"], Interval: 1e9, Timeout: 1e9, Retries: 3 };

/** The host of every test that does not say otherwise. */
export const NODE: NodeTraits = {
  id: "ENGINE",
  hostName: "host7",
  os: "linux",
  arch: "x86_64",
  labels: { disk: "ssd" },
  engineLabels: { rack: "4" },
};

/** A service with one replica on the default network. */
export function buildService(parts: Partial<ServiceIntent> = {}): ServiceIntent {
  const name = parts.name ?? "web";
  return {
    name,
    replicas: 1,
    container: { Image: "app:1" },
    network: { kind: "networks", attachments: [{ network: "default" }] },
    volumesFrom: [],
    volumes: [],
    files: [],
    dependsOn: [],
    restart: { policy: "always" },
    heal: HEAL_DEFAULT,
    update: { order: "auto", parallelism: 1, delayMs: 0, monitorMs: 5_000, onFailure: "pause" },
    stopGraceMs: 10_000,
    pull: "missing",
    constraints: [],
    placement: PLACEMENT_DEFAULT,
    at: { file: "compose.yaml", line: 2 },
    origins: {},
    hash: `${name}-v1`,
    ...parts,
  };
}

/** A dependency that has to be started. */
export function buildDependency(service: string, parts: Partial<Dependency> = {}): Dependency {
  return { service, condition: "started", restart: false, required: true, ...parts };
}

/** A network of the scope. */
export function buildNetwork(parts: Partial<NetworkIntent> = {}): NetworkIntent {
  const key = parts.key ?? "default";
  return {
    key,
    name: `${SCOPE}_${key}`,
    external: false,
    options: {},
    internal: false,
    attachable: false,
    enableIpv6: false,
    labels: {},
    hash: `${key}-v1`,
    ...parts,
  };
}

/** An intent with the default network. */
export function buildIntent(
  services: readonly ServiceIntent[],
  parts: Partial<Intent> = {},
): Intent {
  return {
    scope: SCOPE,
    services: [...services],
    networks: [buildNetwork()],
    volumes: [],
    files: ["compose.yaml"],
    projectDirectory: "/project",
    diagnostics: [],
    ...parts,
  };
}

/** A running container that Fairlead made a minute ago; without a hash one that it found. */
export function buildInstance(parts: Partial<InstanceFact> = {}): InstanceFact {
  const { service = "web", slot = 1, scope = SCOPE } = parts;
  const found = "hash" in parts && parts.hash === undefined;
  const name = parts.name ?? `${scope}-${service}-${slot}`;
  return {
    id: `id-${name}`,
    name,
    scope,
    service,
    slot,
    hash: `${service}-v1`,
    oneoff: false,
    image: "app:1",
    imageId: "sha256:1",
    state: "running",
    health: "none",
    exitCode: 0,
    oomKilled: false,
    error: "",
    createdAtMs: NOW_MS - 60_000,
    startedAtMs: NOW_MS - 60_000,
    finishedAtMs: 0,
    engineRestart: "no",
    networkFrom: undefined,
    pidFrom: undefined,
    ipcFrom: undefined,
    anonymousVolumes: [],
    labels: found ? {} : { [OWN_LABELS.scope]: scope },
    addresses: { [`${scope}_default`]: "172.18.0.2" },
    ports: [],
    ...parts,
  };
}

/** One whose making was cut off: it has the name that it was to bear until it was complete. */
export function buildUnfinished(parts: Partial<InstanceFact> = {}): InstanceFact {
  const made = buildInstance({ ...parts, state: "created", health: "none", startedAtMs: 0 });
  const name = `${made.name}.dec_1`;
  return {
    ...made,
    id: parts.id ?? `id-${name}`,
    name,
    labels: { ...made.labels, [OWN_LABELS.madeAs]: name },
  };
}

/** One that ended a second ago with `exitCode`, after `ranMs`. */
export function buildEnded(
  exitCode: number,
  parts: Partial<InstanceFact> = {},
  ranMs = 59_000,
): InstanceFact {
  const finishedAtMs = parts.finishedAtMs ?? NOW_MS - 1_000;
  const times = { finishedAtMs, startedAtMs: finishedAtMs - ranMs };
  return buildInstance({ state: "exited", exitCode, ...times, ...parts });
}

/** An engine that has the default network and the image. */
export function buildFacts(instances: readonly InstanceFact[], parts: Partial<Facts> = {}): Facts {
  const labels = {
    [OWN_LABELS.scope]: SCOPE,
    [OWN_LABELS.key]: "default",
    [OWN_LABELS.hash]: "default-v1",
  };
  return {
    asOfMs: NOW_MS,
    engineGap: undefined,
    node: NODE,
    instances,
    networks: [{ id: "net-default", name: `${SCOPE}_default`, driver: "bridge", labels }],
    volumes: [],
    images: new Map([
      ["app:1", "sha256:1"],
      ["app:2", "sha256:2"],
    ]),
    ...parts,
  };
}

/** A memory that is empty but for `parts`. */
export function buildMemory(parts: Partial<ServiceMemory> = {}): ServiceMemory {
  return { ...EMPTY_SERVICE_MEMORY, ...parts };
}

/** What a pass over one scope is given. */
export function buildInput(
  services: readonly ServiceIntent[],
  instances: readonly InstanceFact[],
  parts: Partial<ReconcileInput> & { readonly memories?: Record<string, ServiceMemory> } = {},
): ReconcileInput {
  const { memories = {}, ...rest } = parts;
  return {
    intent: buildIntent(services),
    facts: buildFacts(instances),
    memory: new Map(Object.entries(memories)),
    nowMs: NOW_MS,
    busy: new Set(),
    held: new Map(),
    ...rest,
  };
}
