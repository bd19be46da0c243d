// SPDX-License-Identifier: Apache-2.0
import type { ActionKind, Plan, PlannedStep } from "@fairlead/protocol/decision.ts";
import { formatCount } from "./format.ts";
import { formatLocation } from "./print-error.ts";
import { makePrintable, measureWidth } from "./printable.ts";
import type { Style, Tone } from "./style.ts";

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
  paused: "pause",
  pulled: "pull",
  reaped: "reap",
  recreated: "recreate",
  removed: "remove",
  renamed: "rename",
  replaced: "replace",
  restarted: "restart",
  resumed: "resume",
  started: "start",
  stopped: "stop",
  wired: "wire",
};

function sayFuture(title: string): string {
  const [first = "", ...rest] = makePrintable(title).split(" ");
  return [PRESENT[first] ?? first, ...rest].join(" ");
}

/** True when the plan does nothing. */
export function isEmptyPlan(plan: Plan): boolean {
  return plan.steps.length === 0;
}

const ALIKE_MAX = 6;

/** Steps, with long rows of the same for one service folded after the first: 100 replicas are one thing to read. */
function foldSteps(steps: readonly PlannedStep[]): { step: PlannedStep; more: number }[] {
  const rows: { step: PlannedStep; more: number }[] = [];
  const groups = new Map<string, PlannedStep[]>();
  for (const step of steps) {
    const key = step.service === undefined ? step.object : `${step.act} ${step.service}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [step]);
    else group.push(step);
  }
  for (const group of groups.values()) {
    const [first] = group;
    if (first !== undefined && group.length > ALIKE_MAX)
      rows.push({ step: first, more: group.length - 1 });
    else for (const step of group) rows.push({ step, more: 0 });
  }
  return rows;
}

/** A plan as people read it: `+ create web-1   file asks for 2 replicas  compose.yaml:4`. */
export function renderPlan(plan: Plan, style: Style): string[] {
  const head = `plan ${plan.id} for ${plan.scope}`;
  const warnings = plan.warnings.map((warning) => `  ! ${makePrintable(warning)}`);
  if (isEmptyPlan(plan))
    return [`${head}: nothing to change (${plan.unchanged} unchanged)`, ...warnings];
  const rows = foldSteps(plan.steps).map(({ more, step }) => ({
    step,
    title: sayFuture(step.title) + (more > 0 ? ` and ${more} more` : ""),
  }));
  const width = Math.max(...rows.map((row) => measureWidth(row.title)));
  const steps = rows.map(({ step, title }) => {
    const [sign, tone] = signOf(step.act);
    const gap = " ".repeat(width - measureWidth(title) + 3);
    return `  ${style.paint(sign, tone)} ${title}${gap}${style.paint(describeReason(step), "dim")}`;
  });
  const rest = plan.unchanged > 0 ? [`  = ${plan.unchanged} unchanged`] : [];
  return [`${head}: ${formatCount(plan.steps.length, "step")}`, ...steps, ...rest, ...warnings];
}
