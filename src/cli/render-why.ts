// SPDX-License-Identifier: Apache-2.0
// An explanation as people read it: because, rule, inputs, what was not done, result.
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { ServiceView, WhyAnswer } from "@fairlead/protocol/views.ts";
import { formatDuration } from "#base/duration.ts";
import { formatCount, formatTime } from "./format.ts";
import { formatLocation, renderFacts } from "./print-error.ts";
import { makePrintable } from "./printable.ts";
import { type Style, toneOfOutcome, toneOfService } from "./style.ts";

function describeRule(rule: Decision["rule"]): string {
  const { text, at } = rule;
  if (at === undefined) return text;
  return `${text}, ${formatLocation(at)}`;
}

function describeBefore(before: NonNullable<Decision["before"]>): string {
  const { state, exitCode, oomKilled, healthOutput, logTail } = before;
  const head = [
    state,
    ...(exitCode === undefined ? [] : [`exit code ${exitCode}`]),
    ...(oomKilled === true ? ["out of memory"] : []),
  ].join(", ");
  const health =
    healthOutput === undefined || healthOutput === ""
      ? []
      : [`health check said: ${healthOutput.trim()}`];
  const log =
    logTail === undefined || logTail.length === 0
      ? []
      : ["last log lines:", ...logTail.map((line) => `| ${line}`)];
  return [head, ...health, ...log].join("\n");
}

function listFacts(decision: Decision): [string, string][] {
  const { budget, inputs, node, notDone, reason, trigger } = decision;
  const facts: [string, string][] = [
    ["because", trigger.detail],
    ...(reason === undefined ? [] : [["reason", reason] as [string, string]]),
    ["rule", describeRule(decision.rule)],
  ];
  const given = Object.entries(inputs).map(([name, value]) => `${name} ${value}`);
  if (given.length > 0) facts.push(["inputs", given.join(", ")]);
  for (const { what, why } of notDone) facts.push(["not done", `${what}: ${why}`]);
  if (decision.before !== undefined) facts.push(["before", describeBefore(decision.before)]);
  const took =
    decision.durationMs === undefined ? "" : ` (took ${formatDuration(decision.durationMs)})`;
  if (decision.result !== undefined) facts.push(["result", `${decision.result}${took}`]);
  else if (decision.outcome === "pending")
    facts.push(["result", "not known yet: it is being done"]);
  if (budget !== undefined) {
    const spent =
      decision.act === "service.quarantine"
        ? "; so it stopped and raised an alert"
        : "; at the next one it stops and raises an alert";
    const left = budget.used >= budget.max ? spent : "";
    facts.push([
      "budget",
      `${budget.used} of ${budget.max} acts in ${formatDuration(budget.windowMs)}${left}`,
    ]);
  }
  if (node !== undefined) facts.push(["node", node]);
  if (decision.plan !== undefined) facts.push(["plan", decision.plan]);
  return facts;
}

/** One decision: a head line, then its facts. */
export function renderDecision(decision: Decision, style: Style, nowMs: number): string[] {
  const { actor, id, outcome, startedAtMs, title } = decision;
  const word = style.paint(outcome, toneOfOutcome(outcome));
  const head = `${formatTime(startedAtMs, nowMs)}  ${style.paint(title, "bold")}   ${id}  ${makePrintable(actor)}   ${word}`;
  return [head, ...renderFacts(listFacts(decision))].map(style.plain);
}

function renderService(service: ServiceView, style: Style): string {
  const state = style.paint(service.state, toneOfService(service.state));
  const mode = service.mode === "manage" ? "managed" : "only observed";
  return `${style.paint(service.name, "bold")} (${service.scope})  ${state}  ${formatCount(service.running, "instance")}, wanted ${service.wanted}   ${mode}`;
}

/** The lines of the summary; of the one that says of a service what its head does, only the reason. */
function tellSummary({ service, summary }: WhyAnswer): string[] {
  const lines = summary.split("\n").filter((line) => line !== "");
  if (service === undefined || service.healthy < service.running) return lines;
  const counts = `${service.name} (${service.scope})  `;
  return lines.flatMap((line) => {
    if (!line.startsWith(counts)) return [line];
    return service.reason === "" ? [] : [service.reason];
  });
}

/** The whole answer. */
export function renderWhy(answer: WhyAnswer, style: Style, nowMs: number): string[] {
  const { decisions, next, service, subject } = answer;
  const head = service === undefined ? style.paint(subject, "bold") : renderService(service, style);
  const told = tellSummary(answer).map(makePrintable);
  const lines = [head, ...told.map((line) => `  ${line}`)];
  for (const decision of decisions) lines.push("", ...renderDecision(decision, style, nowMs));
  if (decisions.length === 0) lines.push("", "no decision about it is kept");
  if (next.length > 0)
    lines.push("", ...renderFacts(next.map((text, at) => [at === 0 ? "next" : "", text] as const)));
  return lines.map(style.plain);
}
