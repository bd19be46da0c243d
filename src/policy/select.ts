// SPDX-License-Identifier: Apache-2.0
// Which instances a selector means, without asking each of them.
import type { LabelRequirement, PolicySelector } from "#model/policy.ts";
import { labelsOfScope, type PolicyInstance, type PolicyWorld } from "./world.ts";

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

/** Finds instances by selector. */
export interface Index {
  /** Those of one scope. */
  inScope(scope: string, selector: PolicySelector): readonly PolicyInstance[];
  /** Those of all scopes whose labels match. */
  inScopes(scopes: PolicySelector, selector: PolicySelector): readonly PolicyInstance[];
}

/** Selectors as texts; equal ones are equal. */
const texts = new WeakMap<PolicySelector, string>();

function textOf(selector: PolicySelector): string {
  const known = texts.get(selector);
  if (known !== undefined) return known;
  const text = JSON.stringify(selector);
  texts.set(selector, text);
  return text;
}

const NOBODY: readonly PolicyInstance[] = [];

/** An index over a world that no longer changes. */
export function createIndex(world: PolicyWorld): Index {
  const byScope = Map.groupBy(world.instances, ({ scope }) => scope);
  /** Of each scope: by key and value of a label. Filled when a scope is first asked about. */
  const postings = new Map<string, Map<string, PolicyInstance[]>>();
  const known = new Map<string, readonly PolicyInstance[]>();

  function postingsOf(scope: string): Map<string, PolicyInstance[]> {
    const found = postings.get(scope);
    if (found !== undefined) return found;
    const made = new Map<string, PolicyInstance[]>();
    for (const instance of byScope.get(scope) ?? NOBODY)
      for (const [key, value] of Object.entries(instance.labels)) {
        const pair = `${key}=${value}`;
        const list = made.get(pair);
        if (list === undefined) made.set(pair, [instance]);
        else list.push(instance);
      }
    postings.set(scope, made);
    return made;
  }

  /** The fewest among which all that match are. */
  function candidates(scope: string, selector: PolicySelector): readonly PolicyInstance[] {
    let least = byScope.get(scope) ?? NOBODY;
    for (const [key, value] of Object.entries(selector.labels)) {
      const list = postingsOf(scope).get(`${key}=${value}`) ?? NOBODY;
      if (list.length < least.length) least = list;
    }
    return least;
  }

  function inScope(scope: string, selector: PolicySelector): readonly PolicyInstance[] {
    const key = `${scope} ${textOf(selector)}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const found = candidates(scope, selector).filter(({ labels }) => matchLabels(selector, labels));
    known.set(key, found);
    return found;
  }

  return {
    inScope,
    inScopes(scopes, selector) {
      const key = `* ${textOf(scopes)} ${textOf(selector)}`;
      const before = known.get(key);
      if (before !== undefined) return before;
      const found = [...byScope.keys()]
        .filter((scope) => matchLabels(scopes, labelsOfScope(world, scope)))
        .flatMap((scope) => inScope(scope, selector));
      known.set(key, found);
      return found;
    },
  };
}
