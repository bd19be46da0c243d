// SPDX-License-Identifier: Apache-2.0
// Nodes of a fleet give each other images: no registry is needed. While the fleet's store is away, those that have found each
// other go on.
import { awaitAbort } from "#base/await-abort.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { createLimiter } from "#base/limiter.ts";
import { controlErrors } from "#control/errors.ts";
import type { Peers } from "#control/peers.ts";
import type { Roll } from "#control/roll.ts";
import type { Engine } from "#engine/engine.ts";
import type { NodeTraits } from "#model/constraint.ts";
import type { Peering } from "#peering/peering.ts";
import { fetchImage, type FetchOptions } from "./fetch-image.ts";
import { giveImages } from "./give-images.ts";
import { describePlatform } from "./given-image.ts";

export interface ImageExchangeOptions {
  readonly peers: Peers;
  readonly roll: Pick<Roll, "list">;
  readonly engine: Engine;
  /** What the engine's host is; undefined while that is not known. */
  readonly host: () => NodeTraits | undefined;
  readonly clock: Clock;
}

/** Gets images from other nodes, and gives them. */
export interface ImageExchange {
  /**
   * Gets an image, for that platform or the engine's own; says what was done. Throws FL0741 `image-nowhere`, FL0742
   * `image-not-fetched`.
   */
  fetch(
    wanted: { readonly reference: string; readonly platform?: string | undefined },
    options: Omit<FetchOptions, "signal">,
  ): Promise<string>;
  run(signal: AbortSignal): Promise<void>;
}

const FETCHING_MAX = 2;

/** Makes it; nobody is answered before the way to others is open. */
export function createImageExchange(options: ImageExchangeOptions): ImageExchange {
  const { peers, roll, engine, host, clock } = options;
  const limiter = createLimiter(FETCHING_MAX);
  const ending = new AbortController();
  giveImages(peers, engine);

  function needPeering(): Peering {
    if (peers.peering !== undefined) return peers.peering;
    throw new FairleadError(
      controlErrors["image-not-fetched"],
      `this node does not reach the others yet: ${peers.problem}`,
    );
  }

  return {
    fetch({ reference, platform }, more) {
      return limiter.run(() => {
        const traits = host();
        const own = traits === undefined ? undefined : describePlatform(traits);
        const parts = { engine, peering: needPeering(), nodes: roll.list(), clock };
        const signal = ending.signal;
        return fetchImage(parts, { reference, platform: platform ?? own }, { ...more, signal });
      });
    },
    async run(signal) {
      await awaitAbort(signal);
      ending.abort(new FairleadError(controlErrors["image-not-fetched"], "the node is ending"));
    },
  };
}
