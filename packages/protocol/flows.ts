// SPDX-License-Identifier: Apache-2.0
// Who was seen talking to whom, and what policy said to it.
import { z } from "zod";
import { ScopeName, SourceRef } from "./intent.ts";
import { NetworkPolicy } from "./policy.ts";
import { listOf } from "./views.ts";

/** One side of a conversation. Without `instance` it is none that this node knows. */
export const FlowEnd = z.strictObject({
  address: z.string(),
  scope: z.string().optional(),
  service: z.string().optional(),
  instance: z.string().optional(),
  /** The name by which the address was asked for, where only names are allowed. */
  name: z.string().optional(),
});
export type FlowEnd = z.infer<typeof FlowEnd>;

/** `would-drop`: denied by a policy that is only watched, so that it passed. */
export const FlowVerdict = z.enum(["allowed", "would-drop", "dropped"]);
export type FlowVerdict = z.infer<typeof FlowVerdict>;

/** Conversations between the same two, on the same port, with the same verdict. */
export const FlowView = z.strictObject({
  from: FlowEnd,
  to: FlowEnd,
  /** `tcp`, `udp`, `sctp`, `icmp`, `ipv6-icmp`, or what nft calls it. */
  protocol: z.string(),
  /** Of the one that is called. 0: the protocol has none, or too many were called to keep them apart. */
  port: z.number().int(),
  verdict: FlowVerdict,
  /** Whose table gave the verdict: the caller's `egress`, or the `ingress` of the one that is called. */
  direction: z.enum(["egress", "ingress"]),
  /** `shop/from-web`; absent where no policy isolates. */
  policy: z.string().optional(),
  at: SourceRef.optional(),
  /** Conversations begun; of what was denied, packets. */
  count: z.number().int(),
  /** When the node first and last learned of any, ms since 1970. */
  firstAtMs: z.number(),
  lastAtMs: z.number(),
  /** Name of the node that saw it, where the one that was asked belongs to a fleet with others. */
  node: z.string().optional(),
});
export type FlowView = z.infer<typeof FlowView>;

/** Query of `GET /v1/flows` and `GET /v1/flows/follow`. */
export const FlowQuery = z.strictObject({
  /** Only what the node of that name saw; without it, what all nodes of a fleet did. */
  node: z.string().min(1).max(63).optional(),
  /** Only with an end in this scope. */
  scope: ScopeName.optional(),
  /** Only with this service or instance at either end. */
  service: z.string().min(1).max(300).optional(),
  from: z.string().min(1).max(300).optional(),
  to: z.string().min(1).max(300).optional(),
  /** Only what was dropped, or would have been. */
  denied: z
    .enum(["1", "true", "0", "false"])
    .transform((word) => word === "1" || word === "true")
    .optional(),
  /** Only what was seen since, ms since 1970. */
  sinceMs: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
});
export type FlowQuery = z.infer<typeof FlowQuery>;

/** Answer of `GET /v1/flows`: conversations, the last seen first. */
export const FlowList = listOf("FlowList", FlowView);
export type FlowList = z.infer<typeof FlowList>;

/** `POST /v1/policies/effect`: what policies would do to what was seen, in place of those with the same scope and name. */
export const EffectRequest = z.strictObject({
  policies: z.array(NetworkPolicy).max(10_000),
  /** Labels that scopes shall have, by scope. */
  scopes: z.record(ScopeName, z.record(z.string(), z.string())),
  /** Policies as a file has them, besides; `scope` is that of those that name none. */
  text: z.string().max(1_000_000).optional(),
  scope: ScopeName.optional(),
  /** For so long instances of these scopes are looked at although no policy selects them. */
  watchSeconds: z.number().int().min(0).max(3_600).optional(),
  /** Only what was seen since, ms since 1970. */
  sinceMs: z.number().int().min(0).optional(),
});
export type EffectRequest = z.infer<typeof EffectRequest>;

/** A conversation that would have another verdict. */
export const FlowEffect = z.strictObject({
  flow: FlowView,
  /** What the policies would say if they were enforced. */
  verdict: z.enum(["allow", "deny"]),
  /** The policy that says so, and where. */
  policy: z.string().optional(),
  at: SourceRef.optional(),
});
export type FlowEffect = z.infer<typeof FlowEffect>;

/** Answer of `POST /v1/policies/effect`. */
export const EffectView = z.strictObject({
  /** Kinds of conversations that were judged, and how many of them would be as they are. */
  judged: z.number().int(),
  same: z.number().int(),
  /** The last seen first. */
  effects: z.array(FlowEffect),
});
export type EffectView = z.infer<typeof EffectView>;
