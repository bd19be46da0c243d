// SPDX-License-Identifier: Apache-2.0
// What stands in a fleet's store besides its roll. `intent/SCOPE` is written by whom a person asks, `assignments/SCOPE` and
// `turns/SCOPE/SERVICE` by the leader alone, `offers/NODE`, `reports/NODE/SCOPE` and `ailing/NODE` by each node of itself, under its lease.
import { z } from "zod";
import { Intent } from "./intent.ts";
import { ScopeView } from "./views.ts";

/** What a scope is to be on the whole fleet. The revision that wrote it is its generation. */
export const FleetIntent = z.strictObject({
  intent: Intent,
  /** Present when nothing is wanted any more. */
  removal: z.strictObject({ volumes: z.boolean() }).optional(),
  /** Every instance that was made before is replaced; milliseconds since 1970. */
  recreateAtMs: z.number().optional(),
  /** Id of the node that was asked: the files of the project lie there. */
  origin: z.string(),
  actor: z.string(),
  plan: z.string().optional(),
  reason: z.string().optional(),
  /** Said again by a node, after the store had lost it: its instances run somewhere. */
  restored: z.literal(true).optional(),
});
export type FleetIntent = z.infer<typeof FleetIntent>;

/** Where one slot of a service stands. */
export const PlacedSlot = z.strictObject({
  slot: z.number().int().min(1),
  /** Id of the node. */
  node: z.string(),
  /** Ids of the nodes where it stood before and may still run: until it is well where it stands now. */
  from: z.array(z.string()).optional(),
  /** Set while it moves though it could stay: to spread. It does not go back for running well where it was. */
  spreads: z.literal(true).optional(),
});
export type PlacedSlot = z.infer<typeof PlacedSlot>;

/** Slots for which no node was found. Those that stood somewhere stay there. */
export const Unplaced = z.strictObject({
  service: z.string(),
  slots: z.array(z.number().int()),
  /** Which nodes failed which test. */
  why: z.string(),
});
export type Unplaced = z.infer<typeof Unplaced>;

/** Where the instances of a scope stand. Never written without the condition that its writer still leads. */
export const Assignment = z.strictObject({
  /** Revision of the intent that it follows from. */
  generation: z.number().int(),
  /** The leader's fencing token: the revision at which it became the leader. */
  fence: z.number().int(),
  /** Service to its slots, ascending. */
  services: z.record(z.string(), z.array(PlacedSlot)),
  missing: z.array(Unplaced),
});
export type Assignment = z.infer<typeof Assignment>;

/** What a node has for instances. */
export const Offer = z.strictObject({
  hostName: z.string(),
  os: z.string(),
  arch: z.string(),
  labels: z.record(z.string(), z.string()),
  engineLabels: z.record(z.string(), z.string()),
  cpuMillis: z.number(),
  memoryBytes: z.number(),
  /** How many of each kind, `gpu` for example. */
  devices: z.record(z.string(), z.number().nonnegative()).default({}),
  /** Host ports that others than instances of the fleet hold: `tcp/80`. */
  heldPorts: z.array(z.string()),
  /** Scope to its volumes of Fairlead's that have their data there. */
  volumes: z.record(z.string(), z.array(z.string())),
});
export type Offer = z.infer<typeof Offer>;

/** A node lives whose engine does not answer: nothing is known of what runs there. There while that lasts. */
export const Ailment = z.strictObject({ reason: z.string() });
export type Ailment = z.infer<typeof Ailment>;

/** A change that did not come up. */
const FailedChange = z.strictObject({ hash: z.string(), reason: z.string() });

/** How a service that stands on several nodes changes on one of them. */
export const Rolling = z.strictObject({
  /** Slots that would be changed or restarted now if it were their turn, and the run of their container that this ends. */
  asks: z.array(z.strictObject({ slot: z.number().int(), run: z.string() })),
  /** Slots that are in the middle of a change, or not well after one. */
  moving: z.array(z.number().int()),
  failed: FailedChange.optional(),
});
export type Rolling = z.infer<typeof Rolling>;

/** Whose turn it is to change, of a service that stands on several nodes. Written by the leader alone. */
export const Turns = z.strictObject({
  /** Revision of the intent that it follows from. */
  generation: z.number().int(),
  /** Slots that may be changed or restarted now: each holds its turn until it is well again. */
  turns: z.array(z.strictObject({ slot: z.number().int(), node: z.string(), run: z.string() })),
  /** On one of the nodes: then it has failed on all. */
  failed: FailedChange.optional(),
});
export type Turns = z.infer<typeof Turns>;

/** How a scope stands on one node. */
export const ScopeReport = z.strictObject({
  /** Generation of the intent that the node follows. */
  generation: z.number().int(),
  /** Revision of the assignment that it has taken over, once none of its acts follows from an older one. */
  taken: z.number().int().optional(),
  /** Absent when the node has nothing of it. */
  view: ScopeView.optional(),
  /** By service, of those that other nodes have slots of too. */
  rolling: z.record(z.string(), Rolling).optional(),
});
export type ScopeReport = z.infer<typeof ScopeReport>;

/** `owed/NODE/SCOPE`: what a node that was away has to remove with a scope that is not wanted any more; it deletes it then. */
export const OwedRemoval = z.strictObject({ volumes: z.literal(true) });
export type OwedRemoval = z.infer<typeof OwedRemoval>;

/** Who leads: writes the assignments. Under the leader's lease. */
export const Leadership = z.strictObject({ node: z.string() });
export type Leadership = z.infer<typeof Leadership>;
