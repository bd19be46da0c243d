// SPDX-License-Identifier: Apache-2.0
// What the engine holds, as it was last read: all at once by a list, one by one in between.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { normalizeReference } from "#brain/naming.ts";
import type { EngineReader, ImageFact } from "#engine/engine.ts";
import type { NodeTraits } from "#model/constraint.ts";
import type { Facts, InstanceFact, NetworkFact, VolumeFact } from "#model/facts.ts";

/** How long an engine may take to say what it is, in milliseconds. */
const INFO_DEADLINE_MS = 3_000;

export interface EnginePicture {
  /** What is known now; `asOfMs` is when something was last read, 0 before the first list. */
  read(): Omit<Facts, "engineGap">;
  readonly asOfMs: number;
  /** Containers that the engine lists but cannot describe, by id, with its reason. */
  readonly unreadable: ReadonlyMap<string, string>;
  find(idOrName: string): InstanceFact | undefined;
  /** Reads one container anew; returns once the picture has it. */
  refresh(id: string): Promise<void>;
  /** Keeps what was known of a container that cannot be described. */
  keepUnreadable(id: string, error: unknown): void;
  refreshNetworks(): Promise<void>;
  refreshVolumes(): Promise<void>;
  refreshImages(): Promise<void>;
  /** Another engine may answer next: what its host is and has is read again with the next list. */
  forgetNode(): void;
  /** Reads everything; what was read by itself in the meantime is newer than the list and stays. */
  relist(): Promise<void>;
}

export interface PictureOptions {
  readonly engine: EngineReader;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Labels that this node's settings give its host. */
  readonly nodeLabels: Readonly<Record<string, string>>;
  /** Called after each change, with the scopes concerned; undefined means that any may be. */
  readonly onChange: (scopes: ReadonlySet<string> | undefined) => void;
}

/** One read at a time for each container; a request during a read makes one more follow, so the last word is fresh. */
function createCoalescer(readOne: (id: string) => Promise<void>): (id: string) => Promise<void> {
  const reading = new Map<string, { again: boolean; done: Promise<void> }>();
  return (id) => {
    const running = reading.get(id);
    if (running !== undefined) {
      running.again = true;
      return running.done;
    }
    const entry = { again: false, done: Promise.resolve() };
    entry.done = (async () => {
      try {
        do {
          entry.again = false;
          await readOne(id);
        } while (entry.again);
      } finally {
        reading.delete(id);
      }
    })();
    reading.set(id, entry);
    return entry.done;
  };
}

/** By id, by name, or by the first twelve digits of an id or more. */
function findInstance(
  instances: ReadonlyMap<string, InstanceFact>,
  idOrName: string,
): InstanceFact | undefined {
  const direct = instances.get(idOrName);
  if (direct !== undefined) return direct;
  const mayBeId = /^[0-9a-f]{12,}$/.test(idOrName);
  for (const instance of instances.values()) {
    if (instance.name === idOrName) return instance;
    if (mayBeId && instance.id.startsWith(idOrName)) return instance;
  }
  return undefined;
}

function listReferences(images: readonly ImageFact[]): ReadonlyMap<string, string> {
  return new Map(
    images.flatMap(({ id, tags }) =>
      [id, ...tags.map(normalizeReference)].map((reference) => [reference, id] as const),
    ),
  );
}

/** Makes an empty picture. */
export function createEnginePicture(options: PictureOptions): EnginePicture {
  const { engine, clock, logger, onChange } = options;
  let instances = new Map<string, InstanceFact>();
  let networks: readonly NetworkFact[] = [];
  let volumes: readonly VolumeFact[] = [];
  let images: ReadonlyMap<string, string> = new Map();
  let node: NodeTraits | undefined;
  let asOfMs = 0;
  const unreadable = new Map<string, string>();
  /** Lists that are under way, each with what was read by itself since it began. */
  const listing = new Set<Map<string, InstanceFact | undefined>>();

  async function readOne(id: string): Promise<void> {
    const before = instances.get(id);
    const after = await engine.inspectInstance(id);
    unreadable.delete(after?.id ?? before?.id ?? id);
    if (after === undefined) instances.delete(before?.id ?? id);
    else instances.set(after.id, after);
    for (const list of listing) list.set(after?.id ?? before?.id ?? id, after);
    asOfMs = clock.nowMs();
    onChange(new Set([before?.scope, after?.scope].filter((scope) => scope !== undefined)));
  }

  function keepUnreadable(id: string, error: unknown): void {
    const reason = FairleadError.from(error).message;
    const container = instances.get(id)?.name ?? id;
    if (unreadable.get(id) !== reason)
      logger.warn("the engine cannot describe a container", { container, reason });
    unreadable.set(id, reason);
  }

  /** An engine that does not say what it is must not keep its containers from being seen. */
  async function readNode(): Promise<NodeTraits | undefined> {
    if (node !== undefined) return node;
    try {
      const { id, hostName, os, arch, labels } = await engine.info({
        deadlineMs: INFO_DEADLINE_MS,
      });
      return { id, hostName, os, arch, labels: options.nodeLabels, engineLabels: labels };
    } catch (error) {
      logger.warn("the engine does not say what it is", {
        reason: FairleadError.from(error).message,
      });
      return undefined;
    }
  }

  async function readAll(newer: ReadonlyMap<string, InstanceFact | undefined>): Promise<void> {
    const failed = new Map<string, unknown>();
    const [list, networkList, volumeList, imageList, nodeTraits] = await Promise.all([
      engine.listInstances({ onUnreadable: (id, error) => void failed.set(id, error) }),
      engine.listNetworks(),
      engine.listVolumes(),
      engine.listImages(),
      readNode(),
    ]);
    node = nodeTraits;
    const known = instances;
    instances = new Map(list.map((instance) => [instance.id, instance]));
    unreadable.clear();
    for (const [id, error] of failed) {
      const before = known.get(id);
      if (before !== undefined) instances.set(id, before);
      keepUnreadable(id, error);
    }
    for (const [id, instance] of newer) {
      if (instance === undefined) instances.delete(id);
      else instances.set(id, instance);
    }
    networks = networkList;
    volumes = volumeList;
    images = listReferences(imageList);
    asOfMs = clock.nowMs();
  }

  async function relist(): Promise<void> {
    const newer = new Map<string, InstanceFact | undefined>();
    listing.add(newer);
    try {
      await readAll(newer);
    } finally {
      listing.delete(newer);
    }
  }

  return {
    read: () => ({ asOfMs, node, instances: [...instances.values()], networks, volumes, images }),
    get asOfMs() {
      return asOfMs;
    },
    unreadable,
    find: (idOrName) => findInstance(instances, idOrName),
    refresh: createCoalescer(readOne),
    keepUnreadable,
    async refreshNetworks() {
      networks = await engine.listNetworks();
      onChange(undefined);
    },
    async refreshVolumes() {
      volumes = await engine.listVolumes();
      onChange(undefined);
    },
    async refreshImages() {
      images = listReferences(await engine.listImages());
      onChange(undefined);
    },
    forgetNode: () => (node = undefined),
    relist,
  };
}
