// SPDX-License-Identifier: Apache-2.0
import type { WhyAnswer } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findScope } from "#cli/find-scope.ts";
import { renderLink, renderRoute } from "#cli/render-route.ts";
import { renderWhy } from "#cli/render-why.ts";

/** Asks the agent itself: what it chose is known there and nowhere else. */
async function explainCalls(context: Context, caller: string, to: string): Promise<number> {
  const { out, signal } = context;
  const [{ withFabric }, { RouteAnswer }] = await Promise.all([
    import("#cli/join-fabric.ts"),
    import("@fairlead/protocol/route-answer.ts"),
  ]);
  const { routes, links } = await withFabric(context, async (own) =>
    RouteAnswer.parse(await own.call(caller, "$route", { to }, { signal })),
  );
  if (routes.length + links.length === 0)
    throw new FairleadError(cliErrors["no-route"], `${caller} has called nobody named ${to}`);
  await out.document(
    { subject: caller, to, routes, links },
    {
      kind: "RouteAnswer",
      name: (item) => item.subject,
      text: (item, style) => [
        ...item.links.map((link) => renderLink(caller, link)),
        ...item.routes.flatMap((route) => renderRoute(route, style)),
      ],
    },
  );
  return EXIT.ok;
}

/** `fairlead why` */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const [object = ""] = parsed.arguments;
  const to = parsed.text("to");
  if (to !== undefined) return explainCalls(context, object, to);
  const scope = object.startsWith("dec_") ? parsed.text("scope") : findScope(context);
  const answer = await api.call<WhyAnswer>("GET", "why", { query: { object, scope } });
  const { missing = [] } = answer;
  if (missing.length > 0) out.warn(`! partial: no answer from ${missing.join(", ")}`);
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
