// SPDX-License-Identifier: Apache-2.0
export type {
  EffectRequest,
  EffectView,
  FlowEffect,
  FlowEnd,
  FlowQuery,
  FlowVerdict,
  FlowView,
} from "@fairlead/protocol/flows.ts";
