// SPDX-License-Identifier: Apache-2.0
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { finishWait } from "#cli/finish-wait.ts";
import { followScope, watchScope } from "#cli/follow-scope.ts";
import { isEmptyPlan } from "#cli/render-plan.ts";
import { resolveScope } from "#cli/resolve-scope.ts";
import { readReason, sendAction } from "#cli/send-action.ts";
import { showPlan } from "#cli/show-plan.ts";
import { readWaitFlags } from "#cli/wait-flags.ts";

/** `fairlead restart` */
export async function run(context: Context): Promise<number> {
  const { parsed } = context;
  const { wait, timeoutMs } = readWaitFlags(parsed);
  const scope = await resolveScope(context);
  const dryRun = parsed.has("dry-run");
  await using watch = watchScope(context, scope);
  const plan = await sendAction(context, scope, {
    action: "restart",
    services: [...parsed.arguments],
    ...(dryRun ? { dryRun } : {}),
    ...readReason(context),
  });
  await showPlan(context, plan);
  if (dryRun || !wait || isEmptyPlan(plan)) return EXIT.ok;
  const settlement = await followScope(context, watch, { scope, timeoutMs, until: "settled" });
  return finishWait(context, settlement, timeoutMs);
}
