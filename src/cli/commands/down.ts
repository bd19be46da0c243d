// SPDX-License-Identifier: Apache-2.0
import type { Plan } from "@fairlead/protocol/decision.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findProjectScope, isGuessedScope } from "#cli/find-scope.ts";
import { finishWait } from "#cli/finish-wait.ts";
import { followScope, watchScope } from "#cli/follow-scope.ts";
import { readReason } from "#cli/send-action.ts";
import { showPlan } from "#cli/show-plan.ts";
import { readWaitFlags } from "#cli/wait-flags.ts";

const NO_SUCH_OBJECT = "FL0701";

/** The node's plan of the removal, or undefined when there is nothing of the directory's project. */
async function requestDown(
  context: Context,
  scope: string,
  dryRun: boolean,
): Promise<Plan | undefined> {
  const volumes = context.parsed.has("volumes");
  const body = { volumes, ...(dryRun ? { dryRun } : {}), ...readReason(context) };
  try {
    return await context.api.call<Plan>("DELETE", `scopes/${encodeURIComponent(scope)}`, { body });
  } catch (thrown) {
    const unknown = thrown instanceof FairleadError && thrown.kind.id === NO_SUCH_OBJECT;
    if (unknown && isGuessedScope(context)) return undefined;
    throw thrown;
  }
}

/** `fairlead down` */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  const { wait, timeoutMs } = readWaitFlags(parsed);
  const scope = findProjectScope(context);
  const dryRun = parsed.has("dry-run");
  await using watch = watchScope(context, scope);
  const plan = await requestDown(context, scope, dryRun);
  if (plan === undefined) {
    out.note(`nothing to remove: ${scope} is not up`);
    return EXIT.ok;
  }
  await showPlan(context, plan);
  if (dryRun || !wait) return EXIT.ok;
  const settlement = await followScope(context, watch, { scope, timeoutMs, until: "removed" });
  const code = await finishWait(context, settlement, timeoutMs);
  if (code === EXIT.ok) out.note(`removed ${scope}`);
  return code;
}
