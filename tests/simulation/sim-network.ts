// SPDX-License-Identifier: Apache-2.0
// The wire between nodes, and to the store: it delays, loses, repeats, changes the order, and is cut one way or both.
import type { Random } from "#base/clock.ts";
import type { Timeline } from "./timeline.ts";

/** The store's place on the network. */
export const STORE = "store";

export interface SimNetwork {
  /** Share of datagrams that get lost. */
  loss: number;
  /** The longest that one takes; more than a few milliseconds changes their order. */
  delayMsMax: number;
  /** Cuts the way from one to the other, or mends it. */
  cut(from: string, to: string): void;
  mend(from: string, to: string): void;
  mendAll(): void;
  reaches(from: string, to: string): boolean;
  /** Whether nothing is cut. */
  readonly isWhole: boolean;
  /** Calls `listener` whenever something may have been cut; returns the function that ends it. */
  onCut(listener: () => void): () => void;
  /** Says that something may have been. */
  tellCut(): void;
  /** A datagram: it arrives once, twice or never. */
  send(from: string, to: string, arrive: () => void): void;
}

/** The longest way of a quiet network, milliseconds. */
export const QUIET_DELAY_MS = 2;
const REPEATED = 0.01;

/** A quiet network. */
export function createSimNetwork(timeline: Timeline, random: Random): SimNetwork {
  const cuts = new Set<string>();
  const listeners = new Set<() => void>();
  const keyOf = (from: string, to: string): string => `${from}>${to}`;
  const network: SimNetwork = {
    loss: 0,
    delayMsMax: QUIET_DELAY_MS,
    cut: (from, to) => void cuts.add(keyOf(from, to)),
    mend: (from, to) => void cuts.delete(keyOf(from, to)),
    mendAll: () => cuts.clear(),
    get isWhole() {
      return cuts.size === 0;
    },
    onCut(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    tellCut() {
      for (const listener of listeners) listener();
    },
    reaches: (from, to) => cuts.size === 0 || !cuts.has(keyOf(from, to)),
    send(from, to, arrive) {
      const times = random() < REPEATED ? 2 : 1;
      for (let time = 0; time < times; time++) {
        if (random() < network.loss || !network.reaches(from, to)) continue;
        const delayMs = 0.2 + random() * network.delayMsMax;
        timeline.atQuietly(timeline.nowMs + delayMs, () => {
          if (network.reaches(from, to)) arrive();
        });
      }
    },
  };
  return network;
}
