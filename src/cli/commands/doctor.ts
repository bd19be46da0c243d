// SPDX-License-Identifier: Apache-2.0
import type { NodeStatus, ServiceView } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import { defaultStateDir } from "#config/default-paths.ts";
import type { Context } from "#cli/context.ts";
import { askEngine } from "#cli/doctor/ask-engine.ts";
import type { Check, Evidence, Finding } from "#cli/doctor/check.ts";
import { DISCOVERY_CHECK } from "#cli/doctor/discovery-check.ts";
import { DOCKER_CHECKS } from "#cli/doctor/docker-checks.ts";
import { HOST_CHECKS } from "#cli/doctor/host-checks.ts";
import { KERNEL_CHECKS } from "#cli/doctor/kernel-checks.ts";
import { NET_CHECKS } from "#cli/doctor/net-checks.ts";
import { NODE_CHECKS } from "#cli/doctor/node-checks.ts";
import { renderDoctor, type Report } from "#cli/doctor/render-doctor.ts";
import { settleSilences, silence } from "#cli/doctor/silences.ts";
import { cliErrors } from "#cli/errors.ts";
import { loadNodeSettings } from "#cli/load-node-settings.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { wrapItems } from "#cli/output.ts";

const CHECKS: readonly Check[] = [
  ...DOCKER_CHECKS,
  ...KERNEL_CHECKS,
  ...NET_CHECKS,
  DISCOVERY_CHECK,
  ...HOST_CHECKS,
  ...NODE_CHECKS,
];

function matches(check: Check, words: readonly string[]): boolean {
  return words.includes(check.group) || words.includes(check.name);
}

function splitWords(context: Context, flag: "only" | "skip"): readonly string[] {
  return context.parsed.list(flag).flatMap((text) => text.split(","));
}

/** The checks that --only and --skip leave. Throws FL0605 for a word that names none. */
function chooseChecks(only: readonly string[], leave: readonly string[]): readonly Check[] {
  const known = [...new Set(CHECKS.flatMap((check) => [check.group, check.name]))];
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

async function askNode(
  context: Context,
): Promise<{ node?: NodeStatus; services: readonly ServiceView[] }> {
  try {
    const node = await context.api.call<NodeStatus>("GET", "status");
    const services = await context.api.list<ServiceView>("services");
    return { node, services: services.items };
  } catch (thrown) {
    // That no node answers is a finding, not an error.
    if (thrown instanceof FairleadError) return { services: [] };
    throw thrown;
  }
}

/** What a node started from here would be told to talk to; empty when nothing is set, or the settings are wrong. */
function findEndpoint(context: Context): string {
  try {
    return loadNodeSettings(context, {}).settings.engine.endpoint;
  } catch {
    return "";
  }
}

async function gather(context: Context): Promise<Evidence> {
  const { node, services } = await askNode(context);
  return {
    engine: await askEngine(findEndpoint(context), node?.engine.endpoint, context.env),
    node,
    services,
    socket: context.socket,
    stateDir: context.env["FAIRLEAD_STATE_DIR"] ?? defaultStateDir(context),
    listen: context.env["FAIRLEAD_LISTEN"] ?? "127.0.0.1:7117",
    uid: context.uid,
  };
}

async function runCheck(check: Check, evidence: Evidence): Promise<Finding> {
  try {
    return await check.run(evidence);
  } catch (thrown) {
    return {
      verdict: "unknown",
      text: `${check.name}: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    };
  }
}

/** `fairlead doctor`: exits 0 unless something fails, then 1. */
export async function run(context: Context): Promise<number> {
  const startedMs = performance.now();
  const nowMs = Date.now();
  const skipped = Map.groupBy(splitWords(context, "skip"), (word) => word.includes("="));
  const checks = chooseChecks(splitWords(context, "only"), skipped.get(false) ?? []);
  const silences = settleSilences(context, skipped.get(true) ?? [], nowMs);
  const evidence = await gather(context);
  const reports: Report[] = [];
  for (const check of checks) {
    const found = silence(await runCheck(check, evidence), check.name, silences);
    const { kind, factObjects: _, ...finding } = found;
    const advice =
      kind === undefined ? {} : { id: kind.id, slug: kind.slug, so: kind.cause, try: kind.remedy };
    reports.push({ group: check.group, name: check.name, ...finding, ...advice });
  }
  const { out, parsed } = context;
  if (out.forPeople) {
    const tookMs = performance.now() - startedMs;
    const short = parsed.has("short");
    const versions = `fairlead ${context.version}, Node.js ${process.versions.node}, ${process.platform} ${process.arch}`;
    const view = { style: out.style, short, tookMs, versions, silences, nowMs };
    for (const line of renderDoctor(reports, view)) out.line(line);
  } else if (!out.quiet) {
    await out.list(wrapItems("DoctorReport", reports), {
      columns: [],
      name: (item) => item.name,
      empty: "",
    });
  }
  return reports.some((report) => report.verdict === "fail") ? EXIT.no : EXIT.ok;
}
