// SPDX-License-Identifier: Apache-2.0
import type { Plan } from "@fairlead/protocol/decision.ts";
import type { ScaleRequest } from "@fairlead/protocol/requests.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { finishWait } from "#cli/finish-wait.ts";
import { followScope, watchScope } from "#cli/follow-scope.ts";
import { readScale } from "#cli/read-scale.ts";
import { resolveScope } from "#cli/resolve-scope.ts";
import { readReason } from "#cli/send-action.ts";
import { showPlan } from "#cli/show-plan.ts";
import { readWaitFlags } from "#cli/wait-flags.ts";

/** `fairlead scale` */
export async function run(context: Context): Promise<number> {
  const { parsed } = context;
  const { wait, timeoutMs } = readWaitFlags(parsed);
  const replicas = Object.fromEntries(parsed.arguments.map(readScale));
  const scope = await resolveScope(context, Object.keys(replicas));
  const dryRun = parsed.has("dry-run");
  const body: ScaleRequest = {
    replicas,
    ...(dryRun ? { dryRun } : {}),
    ...readReason(context),
  };
  await using watch = watchScope(context, scope);
  const path = `scopes/${encodeURIComponent(scope)}/replicas`;
  const plan = await context.api.call<Plan>("PUT", path, { body });
  await showPlan(context, plan);
  if (dryRun) return EXIT.ok;
  context.out.note("the next `fairlead up` takes the numbers of the file again");
  // With nothing to do it may still not be as wanted: no node takes an instance.
  if (!wait) return EXIT.ok;
  const settlement = await followScope(context, watch, { scope, timeoutMs, until: "settled" });
  return finishWait(context, settlement, timeoutMs);
}
