// SPDX-License-Identifier: Apache-2.0
// What a node learns of who talks to whom: it counts what it passes on itself, and agents tell what they send each other.
import type { LinkReport } from "@fairlead/protocol/fabric.ts";
import { LinkTally, type TakenLinks } from "./link-tally.ts";

/** A report with who made it. */
export interface ReportedLinks extends LinkReport {
  readonly scope: string;
  readonly id: string;
  readonly name: string;
}

export interface TrafficLedger {
  /** What the node itself passes on in a scope. */
  relayed(scope: string): LinkTally;
  /** What that was since it was last taken, by scope. */
  take(): ReadonlyMap<string, TakenLinks>;
  /** An agent has told of its links. */
  report(report: ReportedLinks): void;
  /** Calls `listener` with each report until the returned function is called. */
  watch(listener: (report: ReportedLinks) => void): () => void;
}

/** Makes an empty ledger. */
export function createTrafficLedger(): TrafficLedger {
  const scopes = new Map<string, LinkTally>();
  const listeners = new Set<(report: ReportedLinks) => void>();
  return {
    relayed(scope) {
      const tally = scopes.get(scope) ?? new LinkTally();
      scopes.set(scope, tally);
      return tally;
    },
    take: () => new Map([...scopes].map(([scope, tally]) => [scope, tally.take()])),
    report(report) {
      for (const listener of listeners) listener(report);
    },
    watch(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
