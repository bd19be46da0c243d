// SPDX-License-Identifier: Apache-2.0
// The face of the room: in each network namespace from which services are called, which instance a new connection to a
// service's address gets.

/** An instance that takes new connections, as it is reached from one namespace. */
export interface BalanceTarget {
  readonly id: string;
  /** One IPv4 address and one IPv6 address at most. */
  readonly addresses: readonly string[];
}

/** A service's address as it stands in one namespace. */
export interface BalancedService {
  /** `SCOPE/NAME`. */
  readonly key: string;
  /** Its own: one IPv4 address and one IPv6 address at most. */
  readonly addresses: readonly string[];
  /** In any order; none: connections are refused. */
  readonly targets: readonly BalanceTarget[];
  /** All connections from this namespace go to the same one. */
  readonly sticky: boolean;
}

/** One network namespace: the host's, or a container's. */
export interface BalanceSpace {
  /** Id of the container; `host`. */
  readonly id: string;
  /** Process of the container that is in it; undefined for the node's own. */
  readonly pid?: number;
  /** The addresses that it has itself. */
  readonly own: readonly string[];
  readonly services: readonly BalancedService[];
}

/** One namespace that was touched. `make`: nothing stood there. `repair`: somebody else had changed what stood there. */
export interface BalanceChange {
  readonly space: string;
  readonly kind: "make" | "update" | "repair" | "remove";
}

export interface BalanceOutcome {
  readonly changes: readonly BalanceChange[];
  /** Spaces that are not as wanted, and why. The others are. */
  readonly failures: ReadonlyMap<string, unknown>;
}

/**
 * Service addresses in the kernel. Connections that stand are never touched: each keeps the instance it has. Safe for
 * concurrent use: one call waits for the other. What was made stays when it is disposed of and when the node ends.
 */
export interface Balancer {
  /** Makes the namespaces as wanted, those not named any more without; touches only what differs from what it made last. Never throws for one of them. */
  apply(wanted: readonly BalanceSpace[], signal?: AbortSignal): Promise<BalanceOutcome>;
  /**
   * Reads what really stands: the host's, and of the others those that were not looked at for the longest time.
   * What somebody else has changed is made anew.
   */
  check(signal?: AbortSignal): Promise<BalanceOutcome>;
}
