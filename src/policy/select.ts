// SPDX-License-Identifier: Apache-2.0
// What a selector means.
import type { LabelRequirement, PolicySelector } from "#model/policy.ts";

type Labels = Readonly<Record<string, string>>;

function meets(labels: Labels, { key, operator, values }: LabelRequirement): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      return operator satisfies never;
  }
}

/** Whether labels are as a selector wants them. */
export function matchLabels(selector: PolicySelector, labels: Labels): boolean {
  for (const key in selector.labels)
    if (!Object.hasOwn(labels, key) || labels[key] !== selector.labels[key]) return false;
  return selector.requirements.every((requirement) => meets(labels, requirement));
}
