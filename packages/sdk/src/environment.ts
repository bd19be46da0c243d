// SPDX-License-Identifier: Apache-2.0
// What an agent needs of the world: ways to its node and its peers, time and randomness. Over gRPC, or in memory.
import type { Transport } from "@fairlead/fabric/transport.ts";
import type { HealthSource } from "./serving-state.ts";

export interface Environment {
  /** Dials the node. Rejects with `unavailable`. */
  dialNode(): Promise<Transport>;
  /** Dials a peer at an address that it announced. Rejects with `unavailable`. */
  dialPeer(address: string): Promise<Transport>;
  /** Listens for peers; undefined when this agent is reached through its node only. */
  readonly listen?: (
    onTransport: (transport: Transport) => void,
    health: HealthSource,
  ) => Promise<Listening>;
  nowMs(): number;
  /** Resolves after the delay; rejects with the signal's reason when it aborts. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
  /** From 0 to below 1. */
  random(): number;
}

export interface Listening extends AsyncDisposable {
  /** Addresses to announce, best first. */
  readonly addresses: readonly string[];
}
