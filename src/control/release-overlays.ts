// SPDX-License-Identifier: Apache-2.0
// Gives back what nobody uses of networks that span hosts: of this node, and of nodes that are of the fleet no more.
import type { Clock } from "#base/clock.ts";
import type { Store } from "#store/store.ts";
import { planEndpoints, releaseClaim, writeAll } from "./keep-overlay-entries.ts";
import { pathKey, tunnelKey, type OverlayPicture } from "./overlay-entries.ts";

export interface ReleaserOptions {
  /** Id of this node. */
  readonly self: string;
  readonly picture: OverlayPicture;
  /** Nodes of the fleet; undefined while that is not known for certain. */
  readonly readNodes: () => ReadonlyMap<string, string> | undefined;
  readonly clock: Clock;
  /** Called with the name of a network whose range goes back. */
  readonly onRelease: (name: string) => void;
}

export interface Releaser {
  /** That a network is used again. */
  keep(name: string): void;
  /** Gives back what was unused for long enough; `here` are the networks that the engine has. */
  run(store: Store, here: ReadonlySet<string>): Promise<void>;
}

/** A network that the engine has no more keeps its range this long: it may be on its way back in another form. */
const RELEASE_MS = 30_000;

/** Makes one; it remembers since when what is unused is so. */
export function createReleaser(options: ReleaserOptions): Releaser {
  const { self, picture, clock } = options;
  /** Since when the engine does not have a network of which this node has a range. */
  const absentSince = new Map<string, number>();
  /** Since when a node that has entries is not of the fleet. */
  const strangeSince = new Map<string, number>();

  async function releaseOwn(store: Store, here: ReadonlySet<string>): Promise<void> {
    const nowMs = clock.monotonicMs();
    for (const name of picture.names()) {
      const isUnused = !here.has(name) && picture.get(name)?.ranges.has(self) === true;
      if (!isUnused) absentSince.delete(name);
      else if (!absentSince.has(name)) absentSince.set(name, nowMs);
      else if (nowMs - (absentSince.get(name) ?? nowMs) >= RELEASE_MS) {
        options.onRelease(name);
        await releaseClaim(store, name, self);
      }
    }
  }

  /** What nodes have left that were taken from the roll; whichever node sees it first gives it back. */
  async function releaseStrangers(store: Store): Promise<void> {
    const nodes = options.readNodes();
    if (nodes === undefined) return;
    const nowMs = clock.monotonicMs();
    const strangers = picture.listNodes().filter((id) => id !== self && !nodes.has(id));
    for (const id of strangeSince.keys()) if (!strangers.includes(id)) strangeSince.delete(id);
    for (const node of strangers) {
      const sinceMs = strangeSince.get(node) ?? nowMs;
      strangeSince.set(node, sinceMs);
      if (nowMs - sinceMs < RELEASE_MS) continue;
      for (const name of picture.names()) {
        await writeAll(store, planEndpoints({ name, node }, new Map(), picture.get(name)));
        await releaseClaim(store, name, node);
      }
      const keys = [pathKey(node), tunnelKey(node)];
      await writeAll(
        store,
        keys.map((key) => ({ kind: "delete", key })),
      );
    }
  }

  return {
    keep: (name) => void absentSince.delete(name),
    async run(store, here) {
      await releaseOwn(store, here);
      await releaseStrangers(store);
    },
  };
}
