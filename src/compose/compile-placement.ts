// SPDX-License-Identifier: Apache-2.0
// `deploy.mode`, `deploy.placement`, the reservations and `fairlead.place`, as placement takes them.
import { CONSTRAINT_FORM, isTraitKey, parseConstraint } from "#model/constraint.ts";
import type { PlacementIntent } from "#model/intent.ts";
import { LABEL_PREFIX } from "./fairlead-words.ts";
import { readPlace } from "./place-word.ts";
import type { ServiceModel } from "./project.ts";

const GPU = "gpu";

/** Devices by kind. One that is asked for by its id is one; `all` of them is at least one. */
function countDevices(service: ServiceModel): Record<string, number> {
  const { reservations } = service.deploy?.resources ?? {};
  const devices: Record<string, number> = {};
  const add = (kind: string, amount: number): void => {
    devices[kind] = (Object.hasOwn(devices, kind) ? (devices[kind] ?? 0) : 0) + amount;
  };
  const requests = [
    ...(reservations?.devices ?? []),
    ...(service.gpus ?? []).map((gpu) => ({ ...gpu, capabilities: gpu.capabilities ?? [GPU] })),
  ];
  for (const { capabilities, count, device_ids: ids } of requests)
    if (capabilities.includes(GPU))
      add(GPU, ids === undefined ? Math.max(1, count ?? 1) : ids.length);
  for (const { discrete_resource_spec: spec } of reservations?.generic_resources ?? [])
    if (spec?.kind !== undefined) add(spec.kind.toLowerCase(), Math.max(0, spec.value ?? 1));
  return devices;
}

/** Where a service's instances may stand, and what each reserves. */
export function compilePlacement(service: ServiceModel): PlacementIntent {
  const { deploy } = service;
  const { cpus, memory } = deploy?.resources?.reservations ?? {};
  const reserved = memory ?? service.mem_reservation;
  const perNodeMax = deploy?.placement?.max_replicas_per_node ?? 0;
  const word = readPlace(service.labels?.[`${LABEL_PREFIX}place`] ?? "");
  return {
    everywhere: deploy?.mode === "global",
    cpuMillis: Math.round((cpus ?? 0) * 1_000),
    memoryBytes: reserved === undefined ? 0 : Number(reserved),
    devices: countDevices(service),
    strategy: word?.strategy ?? "spread",
    spreadOver: (deploy?.placement?.preferences ?? []).flatMap(({ spread }) => spread ?? []),
    ...(perNodeMax > 0 ? { perNodeMax } : {}),
    near: [...(word?.near ?? [])],
    apart: [...(word?.apart ?? [])],
    priority: word?.priority ?? 0,
  };
}

/** Says what of `deploy.placement` has no effect, or not everywhere. */
export function warnAboutPlacement(
  name: string,
  service: ServiceModel,
  warn: (message: string, path: readonly string[], hint?: string) => void,
): void {
  const { constraints, preferences, max_replicas_per_node: most } = service.deploy?.placement ?? {};
  for (const [index, constraint] of (constraints ?? []).entries())
    if (parseConstraint(constraint) === undefined)
      warn(
        `the constraint ${constraint} of ${name} is not acted on`,
        ["deploy", "placement", "constraints", String(index)],
        CONSTRAINT_FORM,
      );
  for (const [index, { spread = "" }] of (preferences ?? []).entries())
    if (!isTraitKey(spread))
      warn(
        `${name} is not spread over "${spread}": no node has that`,
        ["deploy", "placement", "preferences", String(index)],
        "write for example node.labels.zone",
      );
  if (most !== undefined && most > 0 && (service.deploy?.replicas ?? service.scale ?? 1) > most)
    warn(
      `in a fleet a node has at most ${most} of ${name}; a node by itself has them all`,
      ["deploy", "placement", "max_replicas_per_node"],
      "nothing, if this host is in a fleet (`fairlead nodes`)",
    );
}
