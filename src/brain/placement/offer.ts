// SPDX-License-Identifier: Apache-2.0
// What is placed, and where it may stand.
import type { Constraint, NodeTraits } from "#model/constraint.ts";

/** The label over whose values instances are spread when nothing else is said: what has one value fails together. */
export const ZONE_KEY = "node.labels.zone";

/** How much of each kind: `gpu`, `pids`, or a kind of the owner's own. */
export type Amounts = Readonly<Record<string, number>>;

/** A node as placement sees it. Its zone is its label `zone`. */
export interface NodeOffer extends NodeTraits {
  /** How it is called in the fleet, which its host's name need not be: answers name it so. */
  readonly name: string;
  /** Thousandths of a core, bytes, and other kinds that instances may reserve in all; a kind that is left out is none. */
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly devices: Amounts;
  /** How busy it is whatever was reserved, 0 to 1. */
  readonly load: number;
  /** Why it takes nothing new (`cordoned`, `suspect`, `draining`); empty when it does. */
  readonly closed: string;
  /** True when what stands there has to leave. */
  readonly draining: boolean;
  /** Host ports that others than placed instances hold: `tcp/80`. */
  readonly heldPorts: readonly string[];
}

/** A local volume that has data: instances that mount it stand where it is. */
export interface Pin {
  readonly volume: string;
  /** Ids of the nodes that have it; none when the node is not known that had it. */
  readonly nodes: readonly string[];
}

/** A service whose instances are to stand somewhere. Names are `scope/service`. */
export interface PlaceRequest {
  readonly service: string;
  /** How many; with `everywhere` it is one on each node that takes it, whatever stands here. */
  readonly count: number;
  readonly everywhere: boolean;
  readonly constraints: readonly Constraint[];
  /** What one instance reserves. */
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly devices: Amounts;
  /** Fixed host ports: one instance a node at most. */
  readonly ports: readonly string[];
  readonly pins: readonly Pin[];
  /** `spread`: as far apart as can be. `pack`: as few nodes as can be. */
  readonly strategy: "spread" | "pack";
  /** Keys over whose values to spread, the widest first; none means `ZONE_KEY` for `spread`, nothing for `pack`. */
  readonly spreadOver: readonly string[];
  readonly perNodeMax: number;
  /** Services beside which it would rather stand, and on whose nodes it must not, nor they on its. */
  readonly near: readonly string[];
  readonly apart: readonly string[];
  /** Higher ones are placed first. None drives out what stands. */
  readonly priority: number;
  /** Node ids of the instances that stand already, one entry for each. They stay where they may. */
  readonly standing: readonly string[];
}

/** How many nodes failed a test, with some of their names. The first test that a node fails counts. */
export interface Refusal {
  readonly test: string;
  readonly nodes: number;
  /** Host names, at most three. */
  readonly examples: readonly string[];
  /** Where too little is free: what one instance needs, and the most that one of these nodes has. */
  readonly short?: { readonly needs: number; readonly free: number };
}

/** Where the instances of a service go. */
export interface Placement {
  readonly service: string;
  /** Node ids, one for each instance: those that stay first, in the order given, then the new ones. */
  readonly nodes: readonly string[];
  /** How many of them stay. */
  readonly kept: number;
  /** Node ids that instances have to leave, with the reason. */
  readonly left: readonly { readonly node: string; readonly reason: string }[];
  /** How many instances found no node, and why; none when all did. */
  readonly missing: number;
  readonly refusals: readonly Refusal[];
}
