// SPDX-License-Identifier: Apache-2.0
export type {
  ActionKind,
  Decision,
  DecisionOutcome,
  Plan,
  PlannedStep,
  Rule,
  Trigger,
} from "@fairlead/protocol/decision.ts";
