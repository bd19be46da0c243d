// SPDX-License-Identifier: Apache-2.0
// What is placed, and where it may stand.
import type { Constraint, NodeTraits } from "#model/constraint.ts";

/** A node as placement sees it. */
export interface NodeOffer extends NodeTraits {
  /** Nodes of one zone fail together; empty when nobody said. */
  readonly zone: string;
  /** Thousandths of a core, bytes, and devices that instances may reserve in all. */
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly gpus: number;
  /** How busy it is whatever was reserved, 0 to 1. */
  readonly load: number;
  /** Why it takes nothing new (`cordoned`, `suspect`, `draining`); empty when it does. */
  readonly closed: string;
  /** True when what stands there has to leave. */
  readonly draining: boolean;
  /** Host ports that others than placed instances hold: `tcp/80`. */
  readonly heldPorts: readonly string[];
}

/** A service whose instances are to stand somewhere. Names are `scope/service`. */
export interface PlaceRequest {
  readonly service: string;
  readonly count: number;
  readonly constraints: readonly Constraint[];
  /** What one instance reserves. */
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly gpus: number;
  /** Fixed host ports: one instance a node at most. */
  readonly ports: readonly string[];
  /** Nodes that have the data of its local volumes; empty when anywhere will do. */
  readonly pins: readonly string[];
  /** `spread`: as far apart as can be, over zones first. `pack`: as few nodes as can be. */
  readonly strategy: "spread" | "pack";
  readonly perNodeMax: number;
  /** Services beside which it would rather stand, and on whose nodes it must not. */
  readonly near: readonly string[];
  readonly apart: readonly string[];
  /** Higher ones are placed first. */
  readonly priority: number;
  /** Node ids of the instances that stand already, one entry for each. They stay where they may. */
  readonly standing: readonly string[];
}

/** How many nodes failed a test, with some of their names. The first test that a node fails counts. */
export interface Refusal {
  readonly test: string;
  readonly nodes: number;
  readonly examples: readonly string[];
}

/** Where the instances of a service go. */
export interface Placement {
  readonly service: string;
  /** Node ids, one for each instance: those that stay first, then the new ones. */
  readonly nodes: readonly string[];
  /** How many of them stay. */
  readonly kept: number;
  /** Node ids that instances have to leave, with the reason. */
  readonly left: readonly { readonly node: string; readonly reason: string }[];
  /** How many instances found no node, and why; none when all did. */
  readonly missing: number;
  readonly refusals: readonly Refusal[];
}
