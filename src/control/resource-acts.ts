// SPDX-License-Identifier: Apache-2.0
// Acts on what containers need: networks, volumes, images.
import type { Engine } from "#engine/engine.ts";
import type { NetworkIntent } from "#model/intent.ts";
import { need, type Act, type ActResult } from "./act.ts";
import { makeResourceLabels } from "./create-request.ts";
import type { FactsBoard } from "./facts-board.ts";
import type { ImageExchange } from "./images/image-exchange.ts";
import { isMadeElsewhere, prepareSwarmNetwork } from "./swarm-network.ts";

export interface ResourceActsOptions {
  readonly engine: Engine;
  readonly board: FactsBoard;
  /** A network as this host's engine is to make it: one that spans hosts is a bridge with a range of its own. */
  readonly prepareNetwork?: (network: NetworkIntent) => Promise<NetworkIntent>;
  /** Resolves when a new network is held where it has to be: before anybody is on it. */
  readonly guardNetworks?: () => Promise<void>;
  /** Gets images from other nodes; undefined without a fleet. */
  readonly images?: Pick<ImageExchange, "fetch"> | undefined;
}

/** Makes those hands of the loop. */
export function createResourceActs(options: ResourceActsOptions) {
  const { engine, board } = options;

  async function changeNetwork(act: Act): Promise<ActResult> {
    const { network, target } = act.action;
    try {
      if (act.action.act === "network.create") {
        const wanted = need(network, "a network");
        const prepared = await prepareSwarmNetwork(wanted, engine);
        const made = (await options.prepareNetwork?.(prepared)) ?? prepared;
        const labels = makeResourceLabels(act.intent, wanted, "network");
        try {
          await engine.createNetwork(made, labels, act.write);
        } catch (thrown) {
          if (!isMadeElsewhere(made, thrown)) throw thrown;
          return { result: "another manager has made it" };
        }
        return { result: "created" };
      }
      await engine.removeNetwork(need(target, "a network"), act.write);
      return { result: "removed" };
    } finally {
      await board.refreshNetworks();
      await options.guardNetworks?.();
    }
  }

  async function changeVolume(act: Act): Promise<ActResult> {
    const { volume, target } = act.action;
    try {
      if (act.action.act === "volume.create") {
        const wanted = need(volume, "a volume");
        await engine.createVolume(
          wanted,
          makeResourceLabels(act.intent, wanted, "volume"),
          act.write,
        );
        return { result: "created" };
      }
      await engine.removeVolume(need(target, "a volume"), act.write);
      return { result: "removed" };
    } finally {
      await board.refreshVolumes();
    }
  }

  async function pull(act: Act): Promise<ActResult> {
    const platform = act.action.spec?.platform;
    await engine.pullImage(act.action.object, {
      ...act.write,
      ...(platform === undefined ? {} : { platform }),
    });
    await board.refreshImages();
    return { result: "pulled" };
  }

  async function fetch({ action, write, onProgress }: Act): Promise<ActResult> {
    const images = need(options.images, "other nodes");
    const wanted = { reference: action.object, platform: action.spec?.platform };
    const result = await images.fetch(wanted, { decision: write.decision, onProgress });
    await board.refreshImages();
    return { result };
  }

  return { changeNetwork, changeVolume, pull, fetch };
}
