// SPDX-License-Identifier: Apache-2.0
// Networks, volumes and images: what instances need before they can be made.
import type { Rule, Trigger } from "#model/decision.ts";
import type { InstanceFact, NetworkFact } from "#model/facts.ts";
import { OWN_LABELS } from "#model/facts.ts";
import type { NetworkIntent, ServiceIntent, VolumeIntent } from "#model/intent.ts";
import { findHostGap } from "./host.ts";
import { normalizeReference } from "./naming.ts";
import { findPauseEnd, isManaged, listObserved, type Gap, type Pass } from "./pass.ts";
import { removeInstance } from "./remove-instance.ts";

/**
 * True when the network in the engine was made for this scope with another configuration. Networks that were found, and
 * those of other scopes, are used as they are.
 */
function isOutdated(pass: Pass, network: NetworkIntent, found: NetworkFact): boolean {
  const hash = found.labels[OWN_LABELS.hash];
  return (
    !network.external &&
    hash !== undefined &&
    hash !== network.hash &&
    found.labels[OWN_LABELS.scope] === pass.intent.scope
  );
}

function ruleOf(network: NetworkIntent): Rule {
  return {
    text: `networks: ${network.key}`,
    ...(network.at === undefined ? {} : { at: network.at }),
  };
}

/** Decides on every network of the intent. */
export function planNetworks(pass: Pass): void {
  for (const network of pass.intent.networks) {
    const found = pass.networks.get(network.name);
    if (found === undefined) {
      if (!network.external) planNetworkCreate(pass, network);
      continue;
    }
    if (isOutdated(pass, network, found)) planNetworkRenewal(pass, network, found);
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
    rule: ruleOf(network),
    inputs: { driver: network.driver ?? "bridge" },
    notDone: [],
  });
}

/** What keeps `instance` on a network, in words: it is not Fairlead's to remove, or its service is paused. */
function explainStay(pass: Pass, instance: InstanceFact): string | undefined {
  const mine = instance.scope === pass.intent.scope && !instance.oneoff;
  const memory = pass.memoryOf(instance.service);
  if (mine && isManaged(instance, memory)) {
    const paused = findPauseEnd(memory, pass.nowMs) !== undefined;
    return paused ? `${instance.name}, whose automation is paused` : undefined;
  }
  return instance.state === "running" || instance.state === "paused" ? instance.name : undefined;
}

/** Who keeps a network from being made anew; the first by name. */
function findHolder(pass: Pass, network: NetworkFact): string | undefined {
  let first: string | undefined;
  for (const instance of pass.facts.instances) {
    if (instance.addresses[network.name] === undefined || instance.state === "removing") continue;
    const holder = explainStay(pass, instance);
    if (holder !== undefined && (first === undefined || holder < first)) first = holder;
  }
  return first;
}

/** A network cannot be changed: everything of this scope leaves it, then it is removed and made again. */
function planNetworkRenewal(pass: Pass, network: NetworkIntent, found: NetworkFact): void {
  const holder = findHolder(pass, found);
  if (holder !== undefined) {
    const reason = `network ${network.name} has another configuration now and is in use by ${holder}`;
    for (const { name, network: mode } of pass.intent.services) {
      const attachments = mode.kind === "networks" ? mode.attachments : [];
      if (attachments.some((attachment) => attachment.network === network.key))
        pass.wait({ service: name, kind: "failed", reason });
    }
    return;
  }
  const detail = `network ${network.name} has another configuration now`;
  const trigger: Trigger = { kind: "change", detail, atMs: pass.nowMs };
  if (planLeaving(pass, network, trigger) > 0) return;
  pass.act({
    key: `network/${network.key}`,
    act: "network.remove",
    object: network.name,
    target: found.id,
    title: `removed network ${network.name} to make it anew`,
    trigger,
    rule: ruleOf(network),
    inputs: {},
    notDone: [],
  });
}

/** Removes what is attached and Fairlead's; returns how many there are. */
function planLeaving(pass: Pass, network: NetworkIntent, trigger: Trigger): number {
  let attached = 0;
  for (const { service, slot, instances } of listObserved(pass, () => true)) {
    const memory = pass.memoryOf(service);
    const instance = instances.find(
      (one) => one.addresses[network.name] !== undefined && isManaged(one, memory),
    );
    if (instance === undefined) continue;
    attached++;
    if (instance.state === "removing") continue;
    removeInstance(pass, {
      service,
      slot,
      instance,
      why: `to change network ${network.name}`,
      trigger,
      rule: ruleOf(network),
      inputs: { network: network.name },
    });
  }
  return attached;
}

/** Whether a volume is used only by services whose instances all stand on other nodes. */
function isElsewhere({ intent }: Pass, { key }: VolumeIntent): boolean {
  const users = intent.services.filter(({ volumes }) => volumes.includes(key));
  return users.length > 0 && users.every(({ slots }) => slots?.length === 0);
}

/**
 * Decides on every volume of the intent that is used here: an empty one on another node would pass for one with the data.
 * Data is never removed because a definition changed.
 */
export function planVolumes(pass: Pass): void {
  for (const volume of pass.intent.volumes) {
    if (volume.external || pass.volumes.has(volume.name) || isElsewhere(pass, volume)) continue;
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

function findNetworkGap(pass: Pass, service: ServiceIntent): Gap | undefined {
  if (service.network.kind !== "networks") return undefined;
  for (const { network: key } of service.network.attachments) {
    const network = pass.networkIntents.get(key);
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
    if (isOutdated(pass, network, found)) {
      return { reason: `waits for network ${network.name} to be made anew`, final: false };
    }
  }
  return undefined;
}

function findVolumeGap(pass: Pass, service: ServiceIntent): Gap | undefined {
  for (const key of service.volumes) {
    const volume = pass.volumeIntents.get(key);
    if (volume === undefined)
      return { reason: `uses volume ${key}, which is not declared`, final: true };
    if (pass.volumes.has(volume.name)) continue;
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
  const waits = `waits for image ${reference}`;
  if (service.pull === "never")
    return { reason: `${waits}, and pull_policy is never`, final: true };
  if (service.build !== undefined || service.pull === "build") {
    const gap = { reason: `${waits}, which has to be built: fairlead up --build`, final: true };
    return findFetchGap(pass, service, gap) ?? gap;
  }
  const key = `image/${normalizeReference(reference)}`;
  const hold = pass.held.get(key);
  // What no registry could bring, another node may have.
  const gap = hold && findFetchGap(pass, service, hold);
  if (gap === undefined || !gap.fetching) planImage(pass, service, key, "image.pull");
  return gap ?? { reason: hold?.reason ?? waits, final: hold?.final ?? false };
}

/** Decides on getting the image from another node, where there are any; `before` is why it was not got otherwise. */
function findFetchGap(
  pass: Pass,
  service: ServiceIntent,
  before: Gap,
): (Gap & { readonly fetching: boolean }) | undefined {
  const reference = service.container.Image;
  // The engine takes a digest only from a registry.
  if (pass.fetchesImages !== true || reference.includes("@")) return undefined;
  const key = `fetch/${normalizeReference(reference)}`;
  const hold = pass.held.get(key);
  if (pass.busy.has(key) || hold === undefined || hold.untilMs <= pass.nowMs) {
    planImage(pass, service, key, "image.fetch", before.reason);
    const reason = `waits for image ${reference}, which other nodes are asked for`;
    return { reason, final: false, fetching: true };
  }
  pass.wakeAt(hold.untilMs);
  const reason = `${before.reason}; ${hold.reason}`;
  return { reason, final: before.final && hold.final, fetching: false };
}

function planImage(
  pass: Pass,
  service: ServiceIntent,
  key: string,
  act: "image.pull" | "image.fetch",
  why = "the engine has no such image",
): void {
  const reference = service.container.Image;
  pass.act({
    key,
    act,
    service: service.name,
    object: reference,
    spec: service,
    title: act === "image.pull" ? `pulled ${reference}` : `fetched ${reference} from another node`,
    trigger: { kind: "missing", detail: why, atMs: pass.nowMs },
    rule: { text: `image: ${reference}`, at: service.origins["image"] ?? service.at },
    inputs: { pullPolicy: service.pull },
    notDone: [],
  });
}

function findPartGap(pass: Pass, service: ServiceIntent): Gap | undefined {
  const image = findImageGap(pass, service);
  return findNetworkGap(pass, service) ?? findVolumeGap(pass, service) ?? image;
}

/** What `service` still lacks to be made; decides on the pull of its image on the way, whatever else is lacking. */
export function findGap(pass: Pass, service: ServiceIntent): Gap | undefined {
  const { gaps } = pass.findings;
  if (gaps.has(service)) return gaps.get(service);
  const gap = findHostGap(pass, service) ?? findPartGap(pass, service);
  gaps.set(service, gap);
  return gap;
}
