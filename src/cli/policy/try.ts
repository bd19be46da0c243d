// SPDX-License-Identifier: Apache-2.0
// `fairlead policy try FILE`: what policies would change for what is seen. Nothing is declared, and nothing is dropped.
import { setTimeout as sleep } from "node:timers/promises";
import type { EffectRequest, EffectView, FlowEffect } from "@fairlead/protocol/flows.ts";
import { formatDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { formatCount } from "#cli/format.ts";
import type { ListView } from "#cli/output.ts";
import { wrapItems } from "#cli/output.ts";
import { FLOW_LIST } from "#cli/render-flow.ts";
import { readPolicyFile } from "./read-policy-file.ts";

const EVERY_MS = 2_000;
/** Instances that no policy selects are looked at for so long after the last question. */
const WATCH_SECONDS = 30;

const WORDS = { allow: "would pass", deny: "would drop" } as const;

function nameRule({ policy, at }: FlowEffect): string {
  if (policy === undefined) return "no policy isolates them";
  if (at === undefined) return policy;
  return `${policy}  ${at.file}${at.line === undefined ? "" : `:${at.line}`}`;
}

const EFFECTS: ListView<FlowEffect> = {
  name: ({ flow }) => FLOW_LIST.name(flow),
  empty: "nothing that was seen would change",
  columns: [
    {
      key: "effect",
      title: "EFFECT",
      value: ({ verdict }) => WORDS[verdict],
      tone: ({ verdict }) => (verdict === "deny" ? "bad" : "good"),
    },
    ...FLOW_LIST.columns
      .filter(({ key }) => ["from", "to", "count", "last"].includes(key))
      .map((column) => ({
        key: column.key,
        title: column.title,
        value: ({ flow }: FlowEffect) => column.value(flow),
      })),
    { key: "now", title: "NOW", value: ({ flow }) => flow.verdict },
    { key: "by", title: "BY", value: nameRule },
  ],
};

/** Shows the effect of files: 0 when all that passes now would pass, 1 when something would be dropped. */
export async function tryOut(context: Context, paths: readonly string[]): Promise<number> {
  const { api, out, parsed, signal } = context;
  if (paths.length === 0)
    throw new FairleadError(cliErrors["missing-argument"], "say which file", {
      remedy: "fairlead policy try policies.yaml --for 10m",
    });
  const files = paths.map((path) => readPolicyFile(context, path));
  const forMs = parsed.waitMs("for");
  const sinceMs = parsed.timeMs("since");
  const body: EffectRequest = {
    policies: files.flatMap(({ policies }) => policies),
    scopes: Object.assign({}, ...files.map(({ scopes }) => scopes)),
    ...(forMs === undefined ? {} : { watchSeconds: WATCH_SECONDS }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
  };
  const ask = () => api.call<EffectView>("POST", "policies/effect", { body });
  let view = await ask();
  const known = new Set<string>();
  const show = async (): Promise<void> => {
    const news = view.effects.filter((effect) => !known.has(EFFECTS.name(effect)));
    for (const effect of news) known.add(EFFECTS.name(effect));
    if (news.length > 0) await out.list(wrapItems("FlowEffectList", news), EFFECTS);
  };
  if (forMs === undefined) await out.list(wrapItems("FlowEffectList", view.effects), EFFECTS);
  else {
    const endMs = Date.now() + forMs;
    out.note(`looking for ${formatDuration(forMs)}; nothing is dropped, and nothing stays`);
    await show();
    while (!signal.aborted && Date.now() < endMs) {
      const restMs = Math.min(EVERY_MS, Math.max(1, endMs - Date.now()));
      await sleep(restMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) break;
      view = await ask();
      await show();
    }
  }
  const drops = view.effects.filter(({ verdict }) => verdict === "deny");
  const opens = view.effects.length - drops.length;
  out.note(
    `of ${formatCount(view.judged, "flow")} seen: ${drops.length} would be dropped, ${opens} would pass that do not now, ${view.same} stay as they are`,
  );
  return drops.length > 0 ? EXIT.no : EXIT.ok;
}
