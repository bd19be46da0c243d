// SPDX-License-Identifier: Apache-2.0
import { FairleadError } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import type { Context } from "#cli/context.ts";
import type { Check } from "#cli/doctor/check.ts";
import { CHECKS, examine } from "#cli/doctor/examine.ts";
import { askOverlays, OVERLAY_GROUPS } from "#cli/doctor/overlay-checks.ts";
import type { Report } from "#cli/doctor/render-doctor.ts";
import { showReports } from "#cli/doctor/show-reports.ts";
import { settleSilences } from "#cli/doctor/silences.ts";
import { cliErrors } from "#cli/errors.ts";

function matches(check: Check, words: readonly string[]): boolean {
  return words.includes(check.group) || words.includes(check.name);
}

function splitWords(context: Context, flag: "only" | "skip"): readonly string[] {
  return context.parsed.list(flag).flatMap((text) => text.split(","));
}

/** The checks that --only and --skip leave. Throws FL0605 for a word that names none. */
function chooseChecks(only: readonly string[], leave: readonly string[]): readonly Check[] {
  const known = [
    ...new Set([...CHECKS.flatMap((check) => [check.group, check.name]), ...OVERLAY_GROUPS]),
  ];
  for (const word of [...only, ...leave]) {
    if (known.includes(word)) continue;
    const nearest = findNearest(word, known);
    throw new FairleadError(cliErrors["bad-value"], `there is no check "${word}"`, {
      facts: { checks: known.join(", ") },
      ...(nearest === undefined ? {} : { remedy: `did you mean ${nearest}?` }),
    });
  }
  return CHECKS.filter(
    (check) => (only.length === 0 || matches(check, only)) && !matches(check, leave),
  );
}

/** Networks that span hosts: part of `net`, and by their own names. */
async function examineOverlays(
  context: Context,
  only: readonly string[],
  leave: readonly string[],
): Promise<readonly Report[]> {
  const isMeant = (group: string): boolean =>
    (only.length === 0 || only.includes("net") || only.includes(group)) &&
    !leave.includes("net") &&
    !leave.includes(group);
  if (!OVERLAY_GROUPS.some(isMeant)) return [];
  const { reports } = await askOverlays(context).catch((thrown: unknown) => {
    // That no node answers is a finding of another check.
    if (thrown instanceof FairleadError) return { reports: [] };
    throw thrown;
  });
  return reports.filter(({ group }) => isMeant(group));
}

/** `fairlead doctor`: exits 0 unless something fails, then 1. */
export async function run(context: Context): Promise<number> {
  const startedMs = performance.now();
  const nowMs = Date.now();
  const skipped = Map.groupBy(splitWords(context, "skip"), (word) => word.includes("="));
  const only = [...context.parsed.arguments, ...splitWords(context, "only")];
  const leave = skipped.get(false) ?? [];
  const checks = chooseChecks(only, leave);
  const silences = settleSilences(context, skipped.get(true) ?? [], nowMs);
  const reports = [
    ...(await examine(context, checks, silences)),
    ...(await examineOverlays(context, only, leave)),
  ];
  return showReports(context, reports, {
    short: context.parsed.has("short"),
    tookMs: performance.now() - startedMs,
    versions: `fairlead ${context.version}, Node.js ${process.versions.node}, ${process.platform} ${process.arch}`,
    silences,
    nowMs,
  });
}
