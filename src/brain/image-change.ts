// SPDX-License-Identifier: Apache-2.0
// A reference that means another image than before is a change too, but only `up` makes it one: between two of them a
// tag may move, and what runs stays. `up` looks once and notes which containers count as having another configuration.
import { hashValue } from "#base/canonical-json.ts";
import type { Facts, InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import type { ServiceMemory } from "#model/memory.ts";
import { normalizeReference } from "./naming.ts";
import { hashOf } from "./pass.ts";

const SHORT_LENGTH = "sha256:".length + 12;

/** The id of the image that a reference means on the engine; undefined when it is not there or not known. */
export function findImageId(facts: Facts, reference: string): string | undefined {
  return facts.images.get(normalizeReference(reference)) || undefined;
}

/** The hash of a configuration with another image than its reference means now. */
function hashWithImage(service: ServiceIntent, imageId: string): string {
  return hashValue({ hash: service.hash, image: imageId });
}

/** The same configuration with the very image, to go back to; the engine has it, or nobody has. */
function pinImage(service: ServiceIntent, imageId: string, hash: string): ServiceIntent {
  const { build: _, ...rest } = service;
  return { ...rest, container: { ...service.container, Image: imageId }, pull: "never", hash };
}

/** The image that a container counts as having: an adopted one as much as the tag of then. */
function imageOf(instance: InstanceFact, memory: ServiceMemory): string {
  return memory.adoptedImages?.[instance.id] ?? instance.imageId;
}

/** What a container counts as having, where that is not its label's or what it was adopted as; undefined elsewhere. */
function judge(
  instance: InstanceFact,
  service: ServiceIntent,
  memory: ServiceMemory,
  imageId: string,
): string | undefined {
  const own = memory.adopted[instance.id] ?? instance.hash;
  const runs = imageOf(instance, memory);
  if (own === service.hash)
    return runs === imageId || runs === "" ? undefined : hashWithImage(service, runs);
  // Made with the very image when a change was taken back: the tag may mean that one again.
  return runs === imageId && own === hashWithImage(service, imageId) ? service.hash : undefined;
}

/** A look at the images of one service, by `up`. */
export interface ImageLook {
  /** What is wanted now. */
  readonly service: ServiceIntent;
  /** What was wanted before; undefined for a new service. */
  readonly before: ServiceIntent | undefined;
  readonly facts: Facts;
  /** The containers of the service. */
  readonly instances: readonly InstanceFact[];
}

/**
 * The memory once `up` has looked: containers whose image is not the one that the reference means now count as having
 * another configuration, and what they run is kept to go back to. An image that the engine lacks changes nothing.
 */
export function noteImages(memory: ServiceMemory, look: ImageLook): ServiceMemory {
  const { service, before, facts, instances } = look;
  const { countsAs: _, ...rest } = memory;
  if (before !== undefined && before.hash !== service.hash) return keepBefore(rest, look, before);
  const imageId = findImageId(facts, service.container.Image);
  if (imageId === undefined) return rest;
  const countsAs: Record<string, string> = {};
  let old: InstanceFact | undefined;
  for (const instance of instances) {
    const hash = judge(instance, service, rest, imageId);
    if (hash === undefined) continue;
    countsAs[instance.id] = hash;
    if (hash !== service.hash) old ??= instance;
  }
  if (Object.keys(countsAs).length === 0) return rest;
  if (old === undefined) return { ...rest, countsAs };
  const previous = pinImage(service, old.imageId, hashWithImage(service, imageOf(old, rest)));
  return { ...rest, countsAs, previous };
}

/** The configuration of before is gone back to with the image that it runs, also when its reference has moved on. */
function keepBefore(
  memory: ServiceMemory,
  { facts, instances }: ImageLook,
  before: ServiceIntent,
): ServiceMemory {
  const old = instances.find((one) => hashOf(one, memory) === before.hash)?.imageId ?? "";
  if (old === "" || old === findImageId(facts, before.container.Image)) return memory;
  return { ...memory, previous: pinImage(before, old, before.hash) };
}

/** `image web:1 is now sha256:…, this runs sha256:…`; undefined when more than its image makes it outdated. */
export function describeImageChange(
  instance: InstanceFact,
  wanted: ServiceIntent,
  memory: ServiceMemory,
  facts: Facts,
): string | undefined {
  const runs = imageOf(instance, memory);
  if (hashOf(instance, memory) !== hashWithImage(wanted, runs)) return undefined;
  const now = findImageId(facts, wanted.container.Image);
  const shorten = (id: string): string => id.slice(0, SHORT_LENGTH);
  return `image ${wanted.container.Image} is now ${now === undefined ? "another" : shorten(now)}, this runs ${shorten(instance.imageId)}`;
}
