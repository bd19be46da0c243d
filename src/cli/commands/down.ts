// SPDX-License-Identifier: Apache-2.0
import type { Plan } from "@fairlead/protocol/decision.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findProjectScope, isGuessedScope } from "#cli/find-scope.ts";
import { finishWait } from "#cli/finish-wait.ts";
import { followScope, watchScope } from "#cli/follow-scope.ts";
import { formatCount } from "#cli/format.ts";
import { readReason } from "#cli/send-action.ts";
import { showPlan } from "#cli/show-plan.ts";
import { readWaitFlags } from "#cli/wait-flags.ts";

const NO_SUCH_OBJECT = "FL0701";

interface DownBody {
  readonly volumes: boolean;
  readonly dryRun?: boolean;
  readonly reason?: string;
}

/** The node's plan of the removal, or why there is nothing to remove. */
async function requestDown(
  context: Context,
  scope: string,
  body: DownBody,
): Promise<Plan | FairleadError> {
  try {
    return await context.api.call<Plan>("DELETE", `scopes/${encodeURIComponent(scope)}`, { body });
  } catch (thrown) {
    if (thrown instanceof FairleadError && thrown.kind.id === NO_SUCH_OBJECT) return thrown;
    throw thrown;
  }
}

/** What a scope without `-v` keeps, and how that goes too: a sentence, or nothing when there is nothing. */
async function describeKept(context: Context, scope: string): Promise<string | undefined> {
  if (context.parsed.has("volumes")) return undefined;
  const plan = await requestDown(context, scope, { volumes: true, dryRun: true });
  if (plan instanceof FairleadError) return undefined;
  // Those without a name are nobody's any more.
  const named = plan.steps.filter(
    ({ act, service }) => act === "volume.remove" && service === undefined,
  );
  const names = [...new Set(named.map(({ object }) => object))];
  if (names.length === 0) return undefined;
  const data = names.length === 1 ? "its data" : "their data";
  return `${formatCount(names.length, "volume")} with ${data}: ${names.join(", ")} (fairlead down -v --scope ${scope})`;
}

/** Nothing is up in this directory, which is as it should be; a scope that was named has to be there. */
async function tellNothing(context: Context, scope: string, why: FairleadError): Promise<number> {
  const kept = await describeKept(context, scope);
  if (!isGuessedScope(context) && kept === undefined) throw why;
  context.out.note(
    `nothing to remove: ${scope} is not up${kept === undefined ? "" : `; it has ${kept}`}`,
  );
  return EXIT.ok;
}

/** `fairlead down` */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  const { wait, timeoutMs } = readWaitFlags(parsed);
  const scope = findProjectScope(context);
  const dryRun = parsed.has("dry-run");
  await using watch = watchScope(context, scope);
  const volumes = parsed.has("volumes");
  const body = { volumes, ...(dryRun ? { dryRun } : {}), ...readReason(context) };
  const plan = await requestDown(context, scope, body);
  if (plan instanceof FairleadError) return tellNothing(context, scope, plan);
  await showPlan(context, plan);
  if (dryRun) {
    const kept = await describeKept(context, scope);
    if (kept !== undefined) out.note(`keeps ${kept}`);
  }
  if (dryRun || !wait) return EXIT.ok;
  const settlement = await followScope(context, watch, { scope, timeoutMs, until: "removed" });
  const code = await finishWait(context, settlement, timeoutMs);
  if (code !== EXIT.ok) return code;
  const kept = await describeKept(context, scope);
  out.note(`removed ${scope}${kept === undefined ? "" : `; kept ${kept}`}`);
  return EXIT.ok;
}
