// SPDX-License-Identifier: Apache-2.0
import type { ActionKind, Plan, PlannedStep } from "@fairlead/protocol/decision.ts";
import { formatCount } from "./format.ts";
import { formatLocation } from "./print-error.ts";
import type { Style, Tone } from "./style.ts";
import { makePrintable, measureWidth } from "./printable.ts";

const SIGNS: readonly (readonly [RegExp, string, Tone])[] = [
  [/\.(create|pull|build|start)$/, "+", "good"],
  [/\.(remove|reap|stop)$/, "-", "bad"],
  [/./, "~", "warn"],
];

function signOf(act: ActionKind): readonly [string, Tone] {
  const [, sign = "~", tone = "warn"] = SIGNS.find(([pattern]) => pattern.test(act)) ?? [];
  return [sign, tone];
}

function describeReason(step: PlannedStep): string {
  if (step.at === undefined) return step.because;
  return `${step.because}  ${formatLocation({ file: step.at.file, line: step.at.line })}`;
}

/** Decisions say what was done; a plan says what will be. */
const PRESENT: Readonly<Record<string, string>> = {
  adopted: "adopt",
  built: "build",
  created: "create",
  pulled: "pull",
  reaped: "reap",
  recreated: "recreate",
  removed: "remove",
  renamed: "rename",
  replaced: "replace",
  restarted: "restart",
  started: "start",
  stopped: "stop",
};

function sayFuture(title: string): string {
  const [first = "", ...rest] = makePrintable(title).split(" ");
  return [PRESENT[first] ?? first, ...rest].join(" ");
}

/** True when the plan does nothing. */
export function isEmptyPlan(plan: Plan): boolean {
  return plan.steps.length === 0;
}

/** A plan as people read it: `+ create web-1   file asks for 2 replicas  compose.yaml:4`. */
export function renderPlan(plan: Plan, style: Style): string[] {
  const width = Math.max(0, ...plan.steps.map((step) => measureWidth(sayFuture(step.title))));
  const steps = plan.steps.map((step) => {
    const [sign, tone] = signOf(step.act);
    const gap = " ".repeat(width - measureWidth(sayFuture(step.title)) + 3);
    return `  ${style.paint(sign, tone)} ${sayFuture(step.title)}${gap}${style.paint(describeReason(step), "dim")}`;
  });
  const head = `plan ${plan.id} for ${plan.scope}`;
  if (steps.length === 0) return [`${head}: nothing to change (${plan.unchanged} unchanged)`];
  const rest = plan.unchanged > 0 ? [`  = ${plan.unchanged} unchanged`] : [];
  return [
    `${head}: ${formatCount(steps.length, "step")}`,
    ...steps,
    ...rest,
    ...plan.warnings.map((w) => `  ! ${makePrintable(w)}`),
  ];
}
