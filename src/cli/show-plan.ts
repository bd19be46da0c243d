// SPDX-License-Identifier: Apache-2.0
import type { Plan } from "@fairlead/protocol/decision.ts";
import type { Context } from "./context.ts";
import { renderPlan } from "./render-plan.ts";

/** Prints a plan in the form asked for. */
export function showPlan(context: Context, plan: Plan): Promise<void> {
  return context.out.document(plan, { kind: "Plan", name: (item) => item.id, text: renderPlan });
}
