// SPDX-License-Identifier: Apache-2.0
// How large packets may be on the way to the other nodes: measured when one is first heard, when it has started anew, and
// now and then.
import type { PathView } from "@fairlead/protocol/network.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { measurePath, type PathMeasure } from "#network/measure-path.ts";
import type { Roll } from "./roll.ts";

export interface PathsOptions {
  readonly roll: Pick<Roll, "list" | "probe">;
  /** What the kernel believes of the way to an address. */
  readonly readCeiling: (address: string) => Promise<number | undefined>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Paths {
  list(): readonly PathView[];
  /** What was measured on the way to a node, by its id. */
  find(id: string): PathMeasure | undefined;
  /** Resolves once all nodes that are heard now were measured, or after `maxMs`. */
  settle(maxMs: number): Promise<void>;
  /** Returns the function that ends it. */
  onChange(listener: () => void): () => void;
  run(signal: AbortSignal): Promise<void>;
}

interface Known {
  readonly measure: PathMeasure | undefined;
  readonly incarnation: number;
  readonly atMs: number;
  /** On the monotonic clock. */
  readonly measuredMs: number;
}

const LOOK_MS = 500;
const AGAIN_MS = 60_000;

/** Makes the loop. */
export function createPaths(options: PathsOptions): Paths {
  const { roll, readCeiling, clock, logger } = options;
  const known = new Map<string, Known>();
  const listeners = new Set<() => void>();

  function listOthers(): readonly (NodeView & { readonly address: string })[] {
    return roll
      .list()
      .flatMap((node) =>
        node.self || node.address === undefined ? [] : [{ ...node, address: node.address }],
      );
  }

  function isDue(node: NodeView): boolean {
    const last = known.get(node.id);
    if (node.state !== "alive") return false;
    if (last === undefined || last.incarnation !== node.incarnation) return true;
    return clock.monotonicMs() - last.measuredMs >= AGAIN_MS;
  }

  async function measure(node: NodeView & { readonly address: string }): Promise<void> {
    const { id, name, address, incarnation } = node;
    const found = await measurePath({
      readCeiling: () => readCeiling(address),
      send: (sizeBytes) => roll.probe(id, sizeBytes),
    });
    const last = known.get(id);
    // Who did not answer this time is where he was.
    const kept = found ?? last?.measure;
    const [atMs, measuredMs] = [clock.nowMs(), clock.monotonicMs()];
    known.set(id, { measure: kept, incarnation, atMs, measuredMs });
    if (kept?.mtu === last?.measure?.mtu && kept?.blackHole === last?.measure?.blackHole) return;
    if (kept?.blackHole === true)
      logger.warn("large packets vanish on the way to a node", {
        name,
        mtu: kept.mtu,
        ceiling: kept.ceiling,
      });
    for (const listener of listeners) listener();
  }

  return {
    list() {
      const from = roll.list().find(({ self }) => self)?.name ?? "";
      return listOthers().map(({ id, name, address }) => {
        const last = known.get(id);
        return {
          from,
          to: name,
          node: id,
          address,
          blackHole: last?.measure?.blackHole ?? false,
          ...(last?.measure === undefined
            ? {}
            : { mtu: last.measure.mtu, ceiling: last.measure.ceiling, atMs: last.atMs }),
        };
      });
    },
    find: (id) => known.get(id)?.measure,
    async settle(maxMs) {
      const endMs = clock.monotonicMs() + maxMs;
      const isOpen = (): boolean =>
        listOthers().some(({ id, state }) => state === "alive" && !known.has(id));
      while (isOpen() && clock.monotonicMs() < endMs) await clock.sleep(LOOK_MS / 5);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async run(signal) {
      while (!signal.aborted) {
        const ids = new Set(listOthers().map(({ id }) => id));
        for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
        for (const node of listOthers().filter(isDue)) {
          if (signal.aborted) return;
          await measure(node).catch((thrown: unknown) =>
            logger.warn("a path could not be measured", {
              name: node.name,
              reason: FairleadError.from(thrown).message,
            }),
          );
        }
        await clock.sleep(LOOK_MS, signal).catch(() => undefined);
      }
    },
  };
}
