// SPDX-License-Identifier: Apache-2.0
import type { Plan } from "@fairlead/protocol/decision.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { loadIntent } from "#cli/load-intent.ts";
import { isEmptyPlan } from "#cli/render-plan.ts";
import { showPlan } from "#cli/show-plan.ts";

/** `fairlead plan`: starts no node and writes nothing; exits 0, or with --exit-code 1 when there is something to do. */
export async function run(context: Context): Promise<number> {
  const intent = await loadIntent(context);
  const plan = await context.api.call<Plan>("POST", "plans", { body: { intent } });
  await showPlan(context, plan);
  return context.parsed.has("exit-code") && !isEmptyPlan(plan) ? EXIT.no : EXIT.ok;
}
