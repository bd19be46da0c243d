// SPDX-License-Identifier: Apache-2.0
// What can only run beside something else: it shares a namespace or a local volume with it.
import { sharedServices } from "#brain/dependencies.ts";
import type { Intent, ServiceIntent } from "#model/intent.ts";

function listLocalVolumes({ volumes }: Intent, service: ServiceIntent): readonly string[] {
  const isLocal = (key: string): boolean => {
    const volume = volumes.find((one) => one.key === key);
    const driver = volume?.driver ?? "local";
    return volume !== undefined && driver === "local" && !("device" in volume.options);
  };
  return service.volumes.filter(isLocal);
}

/** Service to the one beside which each of its instances stands; services that stand for themselves are left out. */
export function findAnchors(intent: Intent): ReadonlyMap<string, string> {
  const anchors = new Map<string, string>();
  const anchorOf = (name: string): string => anchors.get(name) ?? name;
  const firstUse = new Map<string, string>();
  for (const service of intent.services)
    for (const volume of listLocalVolumes(intent, service)) {
      const first = firstUse.get(volume);
      if (first === undefined) firstUse.set(volume, anchorOf(service.name));
      else if (first !== service.name && !anchors.has(service.name))
        anchors.set(service.name, first);
    }
  const names = new Set(intent.services.map(({ name }) => name));
  for (const service of intent.services)
    for (const other of sharedServices(service)) {
      const anchor = anchorOf(other);
      if (names.has(other) && anchor !== service.name && !anchors.has(service.name))
        anchors.set(service.name, anchor);
    }
  return anchors;
}
