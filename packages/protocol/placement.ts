// SPDX-License-Identifier: Apache-2.0
// Why a service stands where it stands: each node with what placement says of it.
import { z } from "zod";

/** One node, as placement sees it for one service. */
export const NodeFit = z.strictObject({
  id: z.string(),
  name: z.string(),
  /** Of the service, when all is placed. */
  instances: z.number().int(),
  /** Whether it would take one more. */
  takes: z.boolean(),
  /** The first test that it fails for one more, with what is lacking; empty when it takes one. */
  reason: z.string(),
  /** Share of its processor or memory that is reserved, whichever is more, 0 to 1. */
  reserved: z.number(),
});
export type NodeFit = z.infer<typeof NodeFit>;

/** Answer of `GET /v1/placement`. */
export const PlacementView = z.strictObject({
  scope: z.string(),
  service: z.string(),
  wanted: z.number().int(),
  /** Instances that found no node; for `global` the nodes that should have one and cannot. */
  missing: z.number().int(),
  /** One sentence. */
  summary: z.string(),
  /** What the service asks for, each in a few words. */
  asks: z.array(z.string()),
  /** Those that take one more first, best first; then the others by name. */
  nodes: z.array(NodeFit),
  /** What is to be known about the answer itself. */
  notes: z.array(z.string()),
});
export type PlacementView = z.infer<typeof PlacementView>;
