// SPDX-License-Identifier: Apache-2.0
// A node of a fleet: as it says of itself, and as another one sees it.
import { z } from "zod";

/** What people say of a node; it stays over restarts of the node. */
export const NodeMarks = z.strictObject({
  /** Whether anything new may be placed on it; `fairlead cordon` takes that away. */
  schedulable: z.boolean().default(true),
  /** Whether what runs on it shall go elsewhere: `fairlead drain`. Such a node is not schedulable either. */
  draining: z.boolean().default(false),
});
export type NodeMarks = z.infer<typeof NodeMarks>;

/** What a person may say of a node. `uncordon` ends a drain too. */
export const NodeAction = z.enum(["cordon", "uncordon", "drain"]);
export type NodeAction = z.infer<typeof NodeAction>;

/** The marks that follow from each. */
export const MARKS_OF: Readonly<Record<NodeAction, NodeMarks>> = {
  cordon: { schedulable: false, draining: false },
  uncordon: { schedulable: true, draining: false },
  drain: { schedulable: false, draining: true },
};

/** `POST /v1/nodes/{node}/actions` */
export const NodeActionRequest = z.strictObject({
  action: NodeAction,
  reason: z.string().min(1).max(500).optional(),
});
export type NodeActionRequest = z.infer<typeof NodeActionRequest>;

/** What a node puts on the fleet's roll when it starts. */
export const NodeRecord = z.strictObject({
  /** Stays the same over restarts. */
  id: z.string().min(1).max(63),
  name: z.string(),
  /** Grows each time the node starts. */
  incarnation: z.number().int().nonnegative(),
  /** Where the other nodes reach it. */
  address: z.string(),
  /** UDP port at which it says that it lives. */
  port: z.number().int(),
  /** Of Fairlead. */
  version: z.string(),
  os: z.string(),
  /** As the kernel names it: `x86_64`, `aarch64`. */
  arch: z.string(),
  cpuCount: z.number().int(),
  memoryBytes: z.number(),
  /** Of `nodeLabels` in its settings. */
  labels: z.record(z.string(), z.string()).default({}),
  /** How many of each kind it has: of `nodeDevices` in its settings. */
  devices: z.record(z.string(), z.number().nonnegative()).default({}),
  ...NodeMarks.shape,
});
export type NodeRecord = z.infer<typeof NodeRecord>;

/** That a node belongs to the fleet no more: it stands in the store in place of its record. */
export const NodeFarewell = z.strictObject({
  id: z.string(),
  name: z.string(),
  /** Of its last life: a next one has to be later. */
  incarnation: z.number().int(),
  /** `removed`: by somebody else, while it was away; it has to join anew. */
  how: z.enum(["left", "removed"]),
  /** Who asked, and at which node. */
  by: z.string(),
  /** Id of that node. */
  at: z.string(),
  reason: z.string().optional(),
});
export type NodeFarewell = z.infer<typeof NodeFarewell>;

/**
 * `alive`: heard within a second. `suspect`: nothing new goes there. `gone`: silent for longer than a pause that is
 * forgiven, and its lease in the store has ended. `left`: it said that it goes.
 */
export const NodeState = z.enum(["alive", "suspect", "gone", "left"]);
export type NodeState = z.infer<typeof NodeState>;

/** A node as the one that was asked sees it. What was not measured is absent. */
export const NodeView = NodeRecord.extend({
  /** Absent for a node without a fleet, as is its port: no other node reaches it. */
  address: z.string().optional(),
  port: z.number().int().optional(),
  state: NodeState,
  /** One sentence why it is in that state; empty when alive and heard. */
  reason: z.string(),
  /** Whether it is the node that was asked. */
  self: z.boolean(),
  /** For how long nobody that was heard has heard it, milliseconds. */
  silentMs: z.number().optional(),
  /** There and back, milliseconds. */
  rttMs: z.number().optional(),
  /** How large a packet may be on the way there, as measured, bytes with the IP header. */
  mtu: z.number().int().optional(),
  /** Whether larger ones, which that way promises to take, vanish on it. */
  blackHole: z.boolean().optional(),
  /** How far its clock is ahead, milliseconds; known to half of `rttMs`. */
  skewMs: z.number().optional(),
  /** Whether it leads: places what the fleet wants. Absent without a fleet. */
  leader: z.boolean().optional(),
  /** Whether its lease in the store lives; absent while the store does not answer. */
  lease: z.boolean().optional(),
  /** Until when its certificate is good, milliseconds since 1970; absent without a fleet and while none is known. */
  certificateEndsMs: z.number().optional(),
});
export type NodeView = z.infer<typeof NodeView>;

/** Answer of `POST /v1/host/clear`. */
export const HostCleared = z.strictObject({
  /** Devices and tables of packet rules that were there. */
  removed: z.array(z.string()),
});
export type HostCleared = z.infer<typeof HostCleared>;
