// SPDX-License-Identifier: Apache-2.0
// What was not simply let through is written down: a decision, a line of the audit log, an alert where a person is to know.
import type { RightsQuestion, RightsVerdict } from "@fairlead/protocol/rights.ts";
import type { AuditLog } from "#audit/audit.ts";
import type { Clock } from "#base/clock.ts";
import type { AlertBoard } from "#control/alert-board.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import { describeVerdict, nameQuestion } from "./describe-rights.ts";

const TELL_MS = 60_000;
const TOLD_MAX = 10_000;
const ALERTS_MAX = 20;

interface TellerParts {
  readonly decisions: Pick<DecisionLog, "begin">;
  readonly audit: Pick<AuditLog, "note">;
  readonly alerts: Pick<AlertBoard, "set">;
  readonly clock: Clock;
}

/** What of a question makes it the same again: subjects are too many, and go by their first word. */
function nameKind(question: RightsQuestion): string {
  if (question.action === "call") return nameQuestion(question);
  return nameQuestion({ ...question, target: question.target.split(".", 1)[0] ?? "" });
}

/** Gives what is called with each verdict that is to be told; the same again waits for a minute. */
export function createTeller({
  decisions,
  audit,
  alerts,
  clock,
}: TellerParts): (question: RightsQuestion, verdict: RightsVerdict) => void {
  const told = new Map<string, number>();
  const raised: string[] = [];

  function raise(title: string, { outcome, because }: RightsVerdict): void {
    const name = outcome === "ask" ? "AgentAsks" : "AgentUnusual";
    const said = `${name} ${title}`;
    if (!raised.includes(said)) raised.push(said);
    // No more than people read: the oldest goes.
    if (raised.length > ALERTS_MAX) alerts.set(raised.shift() ?? "", undefined);
    alerts.set(said, `${title}: ${because}`);
  }

  return (question, verdict) => {
    const key = `${question.scope} ${nameKind(question)} ${verdict.outcome} ${verdict.policies.join()}`;
    const nowMs = clock.monotonicMs();
    if (nowMs - (told.get(key) ?? Number.NEGATIVE_INFINITY) < TELL_MS) return;
    if (told.size >= TOLD_MAX) told.clear();
    told.set(key, nowMs);
    const action = describeVerdict(question, verdict, clock.nowMs());
    audit.note({
      kind: "verdict",
      actor: `agent ${question.scope}/${question.caller}`,
      what: nameQuestion(question),
      outcome: verdict.outcome,
      facts: { because: verdict.because },
    });
    if (verdict.outcome === "ask" || verdict.outcome === "alert") raise(action.title, verdict);
    const context = { scope: question.scope, actor: "automatic", outcome: "observed" } as const;
    void decisions.begin(action, context);
  };
}
