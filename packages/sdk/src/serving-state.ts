// SPDX-License-Identifier: Apache-2.0
import type { Health } from "@fairlead/fabric/grpc/health.ts";

/** What gRPC's health protocol is answered from. */
export interface HealthSource {
  /** How a contract is; "" is the whole agent. */
  ask(service: string): Health;
  /** Calls `listener` whenever an answer may have changed, until the returned function is called. */
  onChange(listener: () => void): () => void;
}

/** Whether this agent serves. */
export class ServingState implements HealthSource {
  /** False when the program says that it is unwell. */
  healthy = true;
  draining = false;
  readonly #isServing: (contract: string) => boolean | undefined;
  readonly #listeners = new Set<() => void>();

  /** `isServing`: undefined for a contract that is not served at all. */
  constructor(isServing: (contract: string) => boolean | undefined) {
    this.#isServing = isServing;
  }

  ask(service: string): Health {
    const isServing = service === "" ? true : this.#isServing(service);
    if (isServing === undefined) return "service-unknown";
    return isServing && this.healthy && !this.draining ? "serving" : "not-serving";
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** To be called after a change. */
  tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
