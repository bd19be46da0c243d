// SPDX-License-Identifier: Apache-2.0
import type { Plan } from "@fairlead/protocol/decision.ts";
import type { Intent } from "@fairlead/protocol/intent.ts";
import { FairleadError } from "#base/errors.ts";
import { buildImages, listBuilds } from "#cli/build-images.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { finishWait } from "#cli/finish-wait.ts";
import { followScope, watchScope } from "#cli/follow-scope.ts";
import { ensureNode } from "#cli/launch-node.ts";
import { loadIntent } from "#cli/load-intent.ts";
import { listPulls, pullImages } from "#cli/pull-images.ts";
import { readPlanFile } from "#cli/read-plan-file.ts";
import { readReason } from "#cli/send-action.ts";
import { showPlan } from "#cli/show-plan.ts";
import { readWaitFlags } from "#cli/wait-flags.ts";

function checkFlags({ parsed }: Context): void {
  const pairs: readonly (readonly [string, string])[] = [
    ["build", "no-build"],
    ["plan", "recreate"],
    ["plan", "dry-run"],
    ["plan", "build"],
  ];
  for (const [one, other] of pairs) {
    if (!parsed.has(one) || !parsed.has(other)) continue;
    throw new FairleadError(
      cliErrors["conflicting-flags"],
      `--${one} and --${other} do not go together`,
    );
  }
}

/** Shows what would be done; starts no node and writes nothing. */
async function rehearse(context: Context, intent: Intent): Promise<number> {
  const plan = await context.api.call<Plan>("POST", "plans", { body: { intent } });
  for (const service of await listBuilds(context, intent)) {
    context.out.note(`would build ${service.container.Image} for ${service.name}`);
  }
  for (const service of listPulls(intent)) {
    context.out.note(`would pull ${service.container.Image} for ${service.name}`);
  }
  await showPlan(context, plan);
  return EXIT.ok;
}

function apply(context: Context, intent: Intent, plan: Plan | undefined): Promise<Plan> {
  const body = {
    intent,
    ...(plan === undefined ? {} : { plan }),
    ...(context.parsed.has("recreate") ? { recreate: true } : {}),
    ...readReason(context),
  };
  return context.api.call<Plan>("PUT", `scopes/${encodeURIComponent(intent.scope)}/intent`, {
    body,
  });
}

/** `fairlead up` */
export async function run(context: Context): Promise<number> {
  checkFlags(context);
  const { wait, timeoutMs } = readWaitFlags(context.parsed);
  const planned = await readPlanFile(context);
  const intent = await loadIntent(context);
  if (context.parsed.has("dry-run")) return rehearse(context, intent);
  await ensureNode(context);
  await buildImages(context, intent, await listBuilds(context, intent));
  // A plan that was read is carried out as it is: what a pull brings would be something else.
  if (planned === undefined) await pullImages(context, intent.scope, listPulls(intent));
  await using watch = watchScope(context, intent.scope);
  const plan = await apply(context, intent, planned);
  await showPlan(context, plan);
  if (!wait) return EXIT.ok;
  const settlement = await followScope(context, watch, {
    scope: intent.scope,
    timeoutMs,
    until: "settled",
  });
  return finishWait(context, settlement, timeoutMs);
}
