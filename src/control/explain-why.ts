// SPDX-License-Identifier: Apache-2.0
// The answer to `why`: how it stands, what was done and why, what comes next. Pure.
import type { ServiceView, WhyAnswer } from "@fairlead/protocol/views.ts";
import { formatDuration } from "#base/duration.ts";
import type { Waiting } from "#model/action.ts";
import type { Decision } from "#model/decision.ts";

/** One line on a service, as `why` begins. */
export function summarizeService(service: ServiceView): string {
  const counts = `${service.running} of ${service.wanted} running`;
  const health =
    service.healthy < service.running ? `, ${service.running - service.healthy} not healthy` : "";
  const state = service.reason === "" ? service.state : `${service.state}: ${service.reason}`;
  return `${service.name} (${service.scope})  ${counts}${health}, ${state}`;
}

/** What the service waits for now. */
export function listNext(service: string, waiting: readonly Waiting[], nowMs: number): string[] {
  const lines = waiting
    .filter((entry) => entry.service === service)
    .map((entry) => {
      const who = entry.slot === undefined ? service : `${service}-${entry.slot}`;
      const far = entry.untilMs !== undefined && entry.untilMs - nowMs < 31_536_000_000;
      const when = far ? ` (looks again in ${formatDuration((entry.untilMs ?? 0) - nowMs)})` : "";
      return `${who}: ${entry.reason}${when}`;
    });
  return [...new Set(lines)].slice(0, 20);
}

/** The answer for one decision. */
export function answerDecision(decision: Decision, service: ServiceView | undefined): WhyAnswer {
  const end =
    decision.result === undefined ? decision.outcome : `${decision.outcome}: ${decision.result}`;
  return {
    subject: decision.id,
    summary: `${decision.title} (${decision.scope}), ${end}`,
    ...(service === undefined ? {} : { service }),
    decisions: [decision],
    next: [],
  };
}
