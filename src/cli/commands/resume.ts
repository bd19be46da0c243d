// SPDX-License-Identifier: Apache-2.0
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { resolveScope } from "#cli/resolve-scope.ts";
import { nameServices, readReason, sendAction } from "#cli/send-action.ts";

/** `fairlead resume` */
export async function run(context: Context): Promise<number> {
  const scope = await resolveScope(context);
  await sendAction(context, scope, {
    action: "resume",
    services: [...context.parsed.arguments],
    ...readReason(context),
  });
  context.out.note(`automation goes on for ${nameServices(context, scope)}`);
  return EXIT.ok;
}
