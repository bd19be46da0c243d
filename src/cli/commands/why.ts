// SPDX-License-Identifier: Apache-2.0
import type { WhyAnswer } from "@fairlead/protocol/views.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findScope } from "#cli/find-scope.ts";
import { renderWhy } from "#cli/render-why.ts";

/** `fairlead why` */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const [object = ""] = parsed.arguments;
  const scope = object.startsWith("dec_") ? parsed.text("scope") : findScope(context);
  const answer = await api.call<WhyAnswer>("GET", "why", { query: { object, scope } });
  const sinceMs = parsed.timeMs("since") ?? 0;
  const untilMs = parsed.timeMs("until") ?? Number.POSITIVE_INFINITY;
  const decisions = answer.decisions.filter(
    (d) => d.startedAtMs >= sinceMs && d.startedAtMs <= untilMs,
  );
  await out.document(
    { ...answer, decisions },
    {
      kind: "WhyAnswer",
      name: (item) => item.subject,
      text: (item, style) => renderWhy(item, style, Date.now()),
    },
  );
  return EXIT.ok;
}
