// SPDX-License-Identifier: Apache-2.0
// Network policy: who may talk to whom. The meaning is that of Kubernetes' networking.k8s.io/v1 NetworkPolicy, with scopes
// for namespaces and instances for pods; selectors are written out, so that absent and empty cannot be taken for each other.
import { z } from "zod";
import { ScopeName, SourceRef } from "./intent.ts";
import { Reason } from "./requests.ts";

/** `ICMP` is no protocol of Kubernetes' policies; it has no ports, and means ICMPv6 too. */
export const PolicyProtocol = z.enum(["TCP", "UDP", "SCTP", "ICMP"]);
export type PolicyProtocol = z.infer<typeof PolicyProtocol>;

/** One requirement on labels; `values` is empty for Exists and DoesNotExist. */
export const LabelRequirement = z.strictObject({
  key: z.string(),
  operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]),
  values: z.array(z.string()),
});
export type LabelRequirement = z.infer<typeof LabelRequirement>;

/** What labels have to be like; all must hold, so one without any selects everything. */
export const PolicySelector = z.strictObject({
  labels: z.record(z.string(), z.string()),
  requirements: z.array(LabelRequirement),
});
export type PolicySelector = z.infer<typeof PolicySelector>;

/** The other side of a rule. */
export const PolicyPeer = z.discriminatedUnion("kind", [
  /** Instances by label, in the scopes that are selected; without `scopes` in the policy's own. */
  z.strictObject({
    kind: z.literal("instances"),
    scopes: PolicySelector.optional(),
    instances: PolicySelector,
  }),
  /** Addresses: `10.0.0.0/8` without `10.1.0.0/16`. */
  z.strictObject({ kind: z.literal("block"), block: z.string(), except: z.array(z.string()) }),
  /** Names of the world outside, as `fairlead.egress` has them; only in egress, and from there only. */
  z.strictObject({ kind: z.literal("names"), names: z.array(z.string().max(300)).max(1_000) }),
]);
export type PolicyPeer = z.infer<typeof PolicyPeer>;

/** Without `port`: all ports of the protocol. A name is looked up at the instance that is called. */
export const PolicyPort = z.strictObject({
  protocol: PolicyProtocol,
  port: z.union([z.number().int().min(1).max(65_535), z.string()]).optional(),
  endPort: z.number().int().min(1).max(65_535).optional(),
});
export type PolicyPort = z.infer<typeof PolicyPort>;

/** One of the peers on one of the ports is allowed; none given means all of them. */
export const PolicyRule = z.strictObject({
  peers: z.array(PolicyPeer),
  ports: z.array(PolicyPort),
  at: SourceRef,
});
export type PolicyRule = z.infer<typeof PolicyRule>;

/** One policy. It isolates what it selects in the directions that it has; each direction then has what rules allow. */
export const NetworkPolicy = z.strictObject({
  scope: ScopeName,
  name: z.string().min(1).max(253),
  instances: PolicySelector,
  ingress: z.array(PolicyRule).max(10_000).optional(),
  egress: z.array(PolicyRule).max(10_000).optional(),
  at: SourceRef,
});
export type NetworkPolicy = z.infer<typeof NetworkPolicy>;

/** off: nothing is installed. watch: what would be dropped is counted and passes. enforce: it is dropped. */
export const PolicyMode = z.enum(["off", "watch", "enforce"]);
export type PolicyMode = z.infer<typeof PolicyMode>;

/** All that is declared for one scope, as the store has it. */
export const ScopePolicies = z.strictObject({
  scope: ScopeName,
  mode: PolicyMode,
  /** Labels of the scope, which `namespaceSelector` looks at. */
  labels: z.record(z.string(), z.string()),
  policies: z.array(NetworkPolicy),
});
export type ScopePolicies = z.infer<typeof ScopePolicies>;

/** `PUT /v1/policies`: adds these, in place of those with the same scope and name. */
export const PolicyRequest = z.strictObject({
  policies: z.array(NetworkPolicy).max(10_000),
  /** Labels that scopes shall have, by scope. */
  scopes: z.record(ScopeName, z.record(z.string(), z.string())),
  /** Modes that scopes shall have, by scope; others stay as they are, and a scope that is new is enforced. */
  modes: z.record(ScopeName, PolicyMode),
  reason: Reason.optional(),
});
export type PolicyRequest = z.infer<typeof PolicyRequest>;

/** A policy with what has become of it on the node that was asked. */
export const PolicyView = z.strictObject({
  policy: NetworkPolicy,
  mode: PolicyMode,
  /** `declared`: by a person. `label`: follows from fairlead.allow.* of a service. */
  origin: z.enum(["declared", "label"]),
  /** Instances that it selects, by name. */
  selects: z.array(z.string()),
  /** Instances that it selects in vain, since they live in the host's own network. */
  unenforced: z.array(z.string()).default([]),
  /** Instances of this host for which it holds only against programs without NET_RAW and NET_ADMIN: their network has no bridge. */
  partly: z.array(z.string()).default([]),
  /** What of it is about nobody now, as sentences: `line 7: nobody is role=fornt (did you mean front?)`. */
  idle: z.array(z.string()).optional(),
});
export type PolicyView = z.infer<typeof PolicyView>;

/** What stands between two services, or what let it pass. */
export const PolicyStep = z.strictObject({
  direction: z.enum(["egress", "ingress"]),
  verdict: z.enum(["allow", "deny"]),
  /** `shop/from-web`; absent where no policy isolates. */
  policy: z.string().optional(),
  at: SourceRef.optional(),
});
export type PolicyStep = z.infer<typeof PolicyStep>;

/** One of the three proofs that `can` gives. `unknown` says why in `detail`. */
export const CanProof = z.strictObject({
  verdict: z.enum(["allow", "deny", "unknown"]),
  detail: z.string(),
  steps: z.array(PolicyStep).optional(),
});
export type CanProof = z.infer<typeof CanProof>;

/** `POST /v1/can` */
export const CanRequest = z.strictObject({
  /** `web`, `shop/web`, or an instance's name. */
  from: z.string().min(1).max(300),
  to: z.string().min(1).max(300),
  scope: ScopeName.optional(),
  protocol: PolicyProtocol,
  /** Absent for ICMP. */
  port: z.number().int().min(1).max(65_535).optional(),
  /** False: nothing is sent. */
  probe: z.boolean(),
});
export type CanRequest = z.infer<typeof CanRequest>;

/** May one talk to the other: what is declared, what the kernel has, what became of a real packet. */
export const CanAnswer = z.strictObject({
  from: z.strictObject({ scope: z.string(), service: z.string(), instances: z.number().int() }),
  to: z.strictObject({ scope: z.string(), service: z.string(), instances: z.number().int() }),
  protocol: PolicyProtocol,
  port: z.number().int().optional(),
  answer: z.enum(["yes", "no", "disagree", "unknown"]),
  declared: CanProof,
  installed: CanProof,
  probed: CanProof,
});
export type CanAnswer = z.infer<typeof CanAnswer>;
