// SPDX-License-Identifier: Apache-2.0
// Writes into the fleet's store what this node knows of networks that span hosts: where its instances are, its claims, its
// key, and what it has measured of the ways to other nodes.
import { isDeepStrictEqual } from "node:util";
import { FairleadError } from "#base/errors.ts";
import type { NetworkFact } from "#model/facts.ts";
import type { OverlayEndpoint } from "#network/overlay.ts";
import type { Store, StoreOperation } from "#store/store.ts";
import type { OverlayClaim } from "./claim-overlay.ts";
import type { FactsBoard } from "./facts-board.ts";
import { planEndpoints, restoreClaim, writeAll } from "./keep-overlay-entries.ts";
import { pathKey, type OverlayPaths, type OverlayPicture } from "./overlay-entries.ts";
import type { Paths } from "./paths.ts";
import type { Releaser } from "./release-overlays.ts";
import type { Tunnels } from "./tunnels.ts";

export interface OverlayTellerOptions {
  /** This node: its id, and the address at which other hosts reach it. */
  readonly self: { readonly id: string; readonly address: string };
  readonly picture: OverlayPicture;
  /** What this node has claimed, so that a store that lost it gets it back. */
  readonly held: Map<string, OverlayClaim>;
  readonly releaser: Pick<Releaser, "run">;
  readonly tunnels: Pick<Tunnels, "planKey">;
  readonly board: Pick<FactsBoard, "read">;
  readonly paths: Pick<Paths, "list">;
  /** Networks that span hosts and are on this one. */
  readonly listLocal: () => readonly NetworkFact[];
}

export interface OverlayTeller {
  /** Writes what differs from the picture. Throws what the store throws, and FL0720 `overlay-ranges`. */
  tell(to: Store): Promise<void>;
}

/** The largest packet to each other node, where it was measured. */
export function listPathMtus(paths: Pick<Paths, "list">): OverlayPaths {
  return Object.fromEntries(
    paths.list().flatMap(({ node, mtu }) => (mtu === undefined ? [] : [[node, mtu]])),
  );
}

/** Makes one; it remembers nothing. */
export function createOverlayTeller(options: OverlayTellerOptions): OverlayTeller {
  const { self, picture, held, releaser, tunnels, board, listLocal } = options;

  function listOwnEndpoints(name: string): ReadonlyMap<string, OverlayEndpoint> {
    const found = board.read().instances.flatMap(({ id, endpoints }) => {
      const endpoint = endpoints?.[name];
      return endpoint === undefined ? [] : [[id, { host: self.address, ...endpoint }] as const];
    });
    return new Map(found);
  }

  async function tellEndpoints(to: Store, here: ReadonlySet<string>): Promise<void> {
    const operations = [...here.union(new Set(picture.names()))].flatMap((name) => {
      const own = here.has(name) ? listOwnEndpoints(name) : new Map<string, OverlayEndpoint>();
      return planEndpoints({ name, node: self.id }, own, picture.get(name));
    });
    await writeAll(to, operations);
    // The watch tells it again, a moment later.
    for (const operation of operations) picture.take(operation);
  }

  /** What a store that lost a claim gets back; networks whose claim cannot be restored do not keep the others from it. */
  async function tellClaims(to: Store, here: ReadonlySet<string>): Promise<readonly unknown[]> {
    const failures: unknown[] = [];
    for (const name of here) {
      const entries = picture.get(name);
      const range = entries?.ranges.get(self.id);
      const claim = held.get(name);
      if (entries?.definition !== undefined && range !== undefined)
        held.set(name, { definition: entries.definition, range });
      else if (claim !== undefined)
        await restoreClaim(to, { name, node: self.id }, claim).catch((thrown: unknown) =>
          failures.push(thrown),
        );
    }
    return failures;
  }

  async function tellOfNode(to: Store): Promise<void> {
    const operations: StoreOperation[] = [...tunnels.planKey(picture)];
    const measured = listPathMtus(options.paths);
    if (!isDeepStrictEqual(picture.paths.get(self.id) ?? {}, measured))
      operations.push({ kind: "put", key: pathKey(self.id), value: measured });
    await writeAll(to, operations);
  }

  return {
    async tell(to) {
      const here = new Set(listLocal().map(({ name }) => name));
      // First what other hosts wait for.
      await tellEndpoints(to, here);
      const failures = await tellClaims(to, here);
      await tellOfNode(to);
      await releaser.run(to, here);
      if (failures.length > 0) throw FairleadError.from(failures[0]);
    },
  };
}
