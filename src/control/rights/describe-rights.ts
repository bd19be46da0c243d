// SPDX-License-Identifier: Apache-2.0
// What was decided about the rights of agents, as decisions say it.
import type { RightsQuestion, RightsVerdict } from "@fairlead/protocol/rights.ts";
import type { PlannedAction } from "#model/action.ts";

/** `web call research/summarize`, for people and as a key. */
export function nameQuestion({ caller, action, target, method }: RightsQuestion): string {
  return `${caller} ${action} ${target}${method === "" ? "" : `/${method}`}`;
}

const SAID = { deny: "refused", ask: "asks", alert: "let through and told", allow: "let through" };

/** A verdict with its four steps, in the order in which they were taken. */
export function describeVerdict(
  question: RightsQuestion,
  { outcome, identity, policies, context, because }: RightsVerdict,
  nowMs: number,
): PlannedAction {
  const { perMinute, usualPerMinute, newPeer } = context;
  return {
    key: `rights/${question.scope}/${question.caller}`,
    act: "rights.judge",
    service: question.caller,
    object: question.caller,
    title: `${SAID[outcome]}: ${nameQuestion(question)}`,
    trigger: { kind: "agent", detail: because, atMs: nowMs },
    rule: {
      text: policies.length === 0 ? "what no policy permits is refused" : policies.join(", "),
    },
    inputs: {
      "1 identity": identity,
      "2 policy": policies.length === 0 ? "none matches" : policies.join(", "),
      "3 context": `${perMinute} a minute, usual ${usualPerMinute}${newPeer ? ", a new peer" : ""}`,
      "4 audit": `verdict ${outcome}`,
    },
    notDone:
      outcome === "ask"
        ? [
            {
              what: "pass it on",
              why: `a person has to say yes: fairlead rights allow ${question.caller} ${question.target}${question.method === "" ? "" : `/${question.method}`} --for 1h --scope ${question.scope}`,
            },
          ]
        : [],
  };
}

/** That a person changed rights. */
export function describeRightsChange(
  scope: string,
  about: Pick<PlannedAction, "act" | "title">,
  actor: string,
  nowMs: number,
): PlannedAction {
  return {
    ...about,
    key: `rights/${scope}`,
    object: `rights/${scope}`,
    trigger: { kind: "person", detail: `asked by ${actor}`, atMs: nowMs },
    rule: { text: "in a scope with rights, what none permits is refused" },
    inputs: {},
    notDone: [],
  };
}
