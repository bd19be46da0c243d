// SPDX-License-Identifier: Apache-2.0
import { formatDuration } from "#base/duration.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { resolveScope } from "#cli/resolve-scope.ts";
import { nameServices, readReason, sendAction } from "#cli/send-action.ts";
import { showPlan } from "#cli/show-plan.ts";

/** `fairlead pause` */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  const scope = await resolveScope(context);
  const forMs = parsed.durationMs("for");
  const dryRun = parsed.has("dry-run");
  const plan = await sendAction(context, scope, {
    action: "pause",
    services: [...parsed.arguments],
    ...(forMs === undefined ? {} : { forMs }),
    ...(dryRun ? { dryRun } : {}),
    ...readReason(context),
  });
  if (dryRun || !out.forPeople) await showPlan(context, plan);
  const until = forMs === undefined ? "until `fairlead resume`" : `for ${formatDuration(forMs)}`;
  if (!dryRun) out.note(`automation is paused ${until} for ${nameServices(context, scope)}`);
  return EXIT.ok;
}
