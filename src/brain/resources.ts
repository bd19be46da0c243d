// SPDX-License-Identifier: Apache-2.0
// Networks, volumes and images: what instances need before they can be made.
import type { InstanceFact, NetworkFact } from "#model/facts.ts";
import { OWN_LABELS } from "#model/facts.ts";
import type { NetworkIntent, ServiceIntent } from "#model/intent.ts";
import { normalizeReference } from "./naming.ts";
import type { Pass } from "./pass.ts";

/** True when the network in the engine was made by Fairlead with another configuration. Found ones are used as they are. */
function isOutdated(network: NetworkIntent, found: NetworkFact): boolean {
  const hash = found.labels[OWN_LABELS.hash];
  return !network.external && hash !== undefined && hash !== network.hash;
}

function isAttached(instance: InstanceFact, network: NetworkFact): boolean {
  return instance.addresses[network.name] !== undefined;
}

/** Decides on every network of the intent. */
export function planNetworks(pass: Pass): void {
  for (const network of pass.intent.networks) {
    const found = pass.networks.get(network.name);
    if (found === undefined) {
      if (!network.external) planNetworkCreate(pass, network);
      continue;
    }
    if (isOutdated(network, found)) planNetworkRenewal(pass, network, found);
  }
}

function planNetworkCreate(pass: Pass, network: NetworkIntent): void {
  pass.act({
    key: `network/${network.key}`,
    act: "network.create",
    object: network.name,
    network,
    title: `created network ${network.name}`,
    trigger: { kind: "missing", detail: "the engine has no such network", atMs: pass.nowMs },
    rule: {
      text: `networks: ${network.key}`,
      ...(network.at === undefined ? {} : { at: network.at }),
    },
    inputs: { driver: network.driver ?? "bridge" },
    notDone: [],
  });
}

/** A network cannot be changed: everything of this scope leaves it, then it is removed and made again. */
function planNetworkRenewal(pass: Pass, network: NetworkIntent, found: NetworkFact): void {
  const rule = {
    text: `networks: ${network.key}`,
    ...(network.at === undefined ? {} : { at: network.at }),
  };
  const detail = `network ${network.name} has another configuration now`;
  const trigger = { kind: "change" as const, detail, atMs: pass.nowMs };
  let attached = 0;
  for (const [service, slots] of pass.observed) {
    for (const [slot, instances] of slots) {
      const instance = instances.find((candidate) => isAttached(candidate, found));
      if (instance === undefined) continue;
      attached++;
      pass.act({
        key: `${service}/${slot}`,
        act: "instance.remove",
        service,
        slot,
        object: instance.name,
        target: instance.id,
        title: `removed ${instance.name} to change network ${network.name}`,
        trigger,
        rule,
        inputs: { network: network.name },
        notDone: [],
      });
    }
  }
  if (attached > 0) return;
  pass.act({
    key: `network/${network.key}`,
    act: "network.remove",
    object: network.name,
    target: found.id,
    title: `removed network ${network.name} to make it anew`,
    trigger,
    rule,
    inputs: {},
    notDone: [],
  });
}

/** Decides on every volume of the intent. Data is never removed because a definition changed. */
export function planVolumes(pass: Pass): void {
  const names = new Set(pass.facts.volumes.map((volume) => volume.name));
  for (const volume of pass.intent.volumes) {
    if (volume.external || names.has(volume.name)) continue;
    pass.act({
      key: `volume/${volume.key}`,
      act: "volume.create",
      object: volume.name,
      volume,
      title: `created volume ${volume.name}`,
      trigger: { kind: "missing", detail: "the engine has no such volume", atMs: pass.nowMs },
      rule: {
        text: `volumes: ${volume.key}`,
        ...(volume.at === undefined ? {} : { at: volume.at }),
      },
      inputs: { driver: volume.driver ?? "local" },
      notDone: [],
    });
  }
}

/** Something an instance needs and the engine lacks. `final`: it will not come by itself. */
export interface Gap {
  readonly reason: string;
  readonly final: boolean;
}

function findNetworkGap(pass: Pass, service: ServiceIntent): Gap | undefined {
  if (service.network.kind !== "networks") return undefined;
  for (const { network: key } of service.network.attachments) {
    const network = pass.intent.networks.find((candidate) => candidate.key === key);
    if (network === undefined)
      return { reason: `uses network ${key}, which is not declared`, final: true };
    const found = pass.networks.get(network.name);
    if (found === undefined && network.external) {
      return {
        reason: `waits for the external network ${network.name}, which does not exist`,
        final: true,
      };
    }
    if (found === undefined) return { reason: `waits for network ${network.name}`, final: false };
    if (isOutdated(network, found)) {
      return { reason: `waits for network ${network.name} to be made anew`, final: false };
    }
  }
  return undefined;
}

function findVolumeGap(pass: Pass, service: ServiceIntent): Gap | undefined {
  for (const key of service.volumes) {
    const volume = pass.intent.volumes.find((candidate) => candidate.key === key);
    if (volume === undefined)
      return { reason: `uses volume ${key}, which is not declared`, final: true };
    if (pass.facts.volumes.some((found) => found.name === volume.name)) continue;
    if (!volume.external) return { reason: `waits for volume ${volume.name}`, final: false };
    return {
      reason: `waits for the external volume ${volume.name}, which does not exist`,
      final: true,
    };
  }
  return undefined;
}

function findImageGap(pass: Pass, service: ServiceIntent): Gap | undefined {
  const reference = service.container.Image;
  if (pass.hasImage(reference)) return undefined;
  if (service.build !== undefined || service.pull === "build") {
    const reason = `waits for image ${reference}, which has to be built: fairlead up --build`;
    return { reason, final: true };
  }
  if (service.pull === "never") {
    return { reason: `waits for image ${reference}, and pull_policy is never`, final: true };
  }
  const key = `image/${normalizeReference(reference)}`;
  planPull(pass, service, key);
  const hold = pass.held.get(key);
  return { reason: hold?.reason ?? `waits for image ${reference}`, final: hold?.final ?? false };
}

function planPull(pass: Pass, service: ServiceIntent, key: string): void {
  const reference = service.container.Image;
  pass.act({
    key,
    act: "image.pull",
    service: service.name,
    object: reference,
    spec: service,
    title: `pulled ${reference}`,
    trigger: { kind: "missing", detail: "the engine has no such image", atMs: pass.nowMs },
    rule: { text: `image: ${reference}`, at: service.origins["image"] ?? service.at },
    inputs: { pullPolicy: service.pull },
    notDone: [],
  });
}

/** What `service` still lacks to be made; decides on the pull of its image on the way. */
export function findGap(pass: Pass, service: ServiceIntent): Gap | undefined {
  return (
    findNetworkGap(pass, service) ?? findVolumeGap(pass, service) ?? findImageGap(pass, service)
  );
}
