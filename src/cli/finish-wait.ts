// SPDX-License-Identifier: Apache-2.0
// How a wait ends: the word, the reason, the health output and the last log lines, the exit code.
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { LogLine } from "@fairlead/protocol/routes.ts";
import type { ScopeView, ServiceView, WhyAnswer } from "@fairlead/protocol/views.ts";
import { formatDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "./context.ts";
import { cliErrors } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import type { Settlement } from "./follow-scope.ts";
import { formatCount } from "./format.ts";
import { cleanLogLine, makePrintable } from "./printable.ts";

const LAST_LINES = 10;
const LEFT_DECISIONS = 50;

/** The tail of a service's log; nothing when it has none or the log cannot be read. */
async function readTail(context: Context, service: ServiceView): Promise<string[]> {
  const query = { scope: service.scope, name: [service.name], tail: LAST_LINES };
  const lines: string[] = [];
  try {
    for await (const line of context.api.lines<LogLine>("GET", "logs", { query })) {
      lines.push(`    | ${cleanLogLine(line.text, false)}`);
    }
  } catch (thrown) {
    if (!(thrown instanceof FairleadError)) throw thrown;
    lines.push(`    (no log: ${thrown.message})`);
  }
  return lines.slice(-LAST_LINES);
}

async function readHealth(context: Context, service: ServiceView): Promise<string[]> {
  const query = { object: `service/${service.name}`, scope: service.scope };
  const answer = await context.api.call<WhyAnswer>("GET", "why", { query });
  const said = answer.decisions.find((decision) => (decision.before?.healthOutput ?? "") !== "");
  return said === undefined
    ? []
    : [`    health check said: ${makePrintable(said.before?.healthOutput ?? "").trim()}`];
}

/** Tells why a service is not as wanted, on stderr. */
async function tellFailure(context: Context, service: ServiceView): Promise<void> {
  const { out } = context;
  const sign = out.noteStyle.paint(out.noteStyle.mark("bad"), "bad");
  out.warn(`${sign} ${service.name} is ${service.state}: ${makePrintable(service.reason)}`);
  for (const line of [
    ...(await readHealth(context, service)),
    ...(await readTail(context, service)),
  ])
    out.warn(line);
  out.warn(`    more: fairlead why service/${service.name} --scope ${service.scope}`);
}

/** What could not be removed, and what the engine said: the newest word on each thing. */
async function tellLeft(context: Context, { scope }: ScopeView): Promise<readonly string[]> {
  const { out } = context;
  const { items } = await context.api.list<Decision>("decisions", { scope, limit: LEFT_DECISIONS });
  const words = new Map<string, Decision>();
  for (const decision of items)
    if (decision.outcome !== "pending" && !words.has(decision.object))
      words.set(decision.object, decision);
  const left = [...words.values()].filter(
    ({ act, outcome }) => outcome === "failed" && act.endsWith(".remove"),
  );
  const sign = out.noteStyle.paint(out.noteStyle.mark("bad"), "bad");
  for (const { object, result = "" } of left)
    out.warn(`${sign} ${object} is still there: ${makePrintable(result)}`);
  return left.map(({ object }) => object);
}

function listUnhappy(view: ScopeView | undefined): ServiceView[] {
  return (
    view?.services.filter((s) => !["ok", "completed", "stopped", "paused"].includes(s.state)) ?? []
  );
}

function expire(timeoutMs: number, waiting: readonly string[]): never {
  throw new FairleadError(
    cliErrors["wait-expired"],
    `not as wanted after ${formatDuration(timeoutMs)}`,
    { facts: { waiting: waiting.join(", ") || "the scope" } },
  );
}

/** Says how the wait ended and returns the exit code. Throws FL0615 when the time ran out. */
export async function finishWait(
  context: Context,
  settlement: Settlement,
  timeoutMs: number,
): Promise<number> {
  const { out } = context;
  const good = out.noteStyle.paint(out.noteStyle.mark("good"), "good");
  if (settlement.kind === "removed") return EXIT.ok;
  if (settlement.kind === "settled") {
    const running = settlement.view.services.reduce((sum, service) => sum + service.running, 0);
    out.note(
      `${good} ${settlement.view.scope} is as wanted: ${formatCount(settlement.view.services.length, "service")}, ${formatCount(running, "instance")} running`,
    );
    return EXIT.ok;
  }
  if (settlement.kind === "timeout" && settlement.view?.removing === true) {
    const left = await tellLeft(context, settlement.view);
    if (left.length > 0) return expire(timeoutMs, left);
  }
  const unhappy = settlement.kind === "failed" ? settlement.services : listUnhappy(settlement.view);
  for (const service of unhappy) await tellFailure(context, service);
  if (settlement.kind === "failed") return EXIT.no;
  return expire(
    timeoutMs,
    unhappy.map((service) => service.name),
  );
}
