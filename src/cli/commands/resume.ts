// SPDX-License-Identifier: Apache-2.0
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { isEmptyPlan } from "#cli/render-plan.ts";
import { resolveScope } from "#cli/resolve-scope.ts";
import { nameServices, readReason, sendAction } from "#cli/send-action.ts";
import { showPlan } from "#cli/show-plan.ts";

/** `fairlead resume` */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  const scope = await resolveScope(context);
  const dryRun = parsed.has("dry-run");
  const plan = await sendAction(context, scope, {
    action: "resume",
    services: [...parsed.arguments],
    ...(dryRun ? { dryRun } : {}),
    ...readReason(context),
  });
  if (dryRun || !out.forPeople) await showPlan(context, plan);
  if (dryRun) return EXIT.ok;
  const names = nameServices(context, scope);
  out.note(
    isEmptyPlan(plan)
      ? `automation was not paused for ${names}`
      : `automation goes on for ${names}`,
  );
  return EXIT.ok;
}
