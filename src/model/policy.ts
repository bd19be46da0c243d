// SPDX-License-Identifier: Apache-2.0
export type {
  CanAnswer,
  CanProof,
  CanRequest,
  LabelRequirement,
  NetworkPolicy,
  PolicyMode,
  PolicyPeer,
  PolicyPort,
  PolicyProtocol,
  PolicyRequest,
  PolicyRule,
  PolicySelector,
  PolicyStep,
  PolicyView,
  ScopePolicies,
} from "@fairlead/protocol/policy.ts";
