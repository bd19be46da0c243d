// SPDX-License-Identifier: Apache-2.0
// Cedar's own evaluator, as WebAssembly. It is loaded when the first policy is: 4 MB that who has none does not pay for.
import type * as Cedar from "@cedar-policy/cedar-wasm/nodejs";
import type { Effect, Policy, PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { RightsContext } from "@fairlead/protocol/rights.ts";
import { FairleadError } from "#base/errors.ts";
import { rightsErrors } from "./errors.ts";
import type { Ask, NamedPolicy, Rights, RightsCompiler, Ruling } from "./rights.ts";
import { findVisible, makeKey } from "./visible.ts";

const CACHE_MAX = 100_000;
const POLICIES_MAX = 1_000;
const OUTCOMES: ReadonlySet<string> = new Set(["ask", "alert"]);

interface Known {
  readonly effect: Effect;
  readonly outcome: string | undefined;
}

function refuse(name: string, problem: string): never {
  throw new FairleadError(rightsErrors["rights-malformed"], `${name}: ${problem}`);
}

/** Line of an offset, for people. */
function findLine(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

function readPolicies(cedar: typeof Cedar, name: string, text: string): readonly NamedPolicy[] {
  const parts = cedar.policySetTextToParts(text);
  if (parts.type === "failure") {
    const [error] = parts.errors;
    const at = error?.sourceLocations?.[0];
    const line = at === undefined ? "" : `line ${findLine(text, at.start)}: `;
    const label = at?.label === undefined || at.label === null ? "" : `, ${at.label}`;
    return refuse(name, `${line}${error?.message ?? "is not Cedar"}${label}`);
  }
  if (parts.policy_templates.length > 0) refuse(name, "templates have nothing to fill them");
  // A scope's first set closes it: a file that was saved empty by mistake would refuse everything.
  if (parts.policies.length === 0) refuse(name, "has no policies");
  if (parts.policies.length > POLICIES_MAX) refuse(name, `more than ${POLICIES_MAX} policies`);
  return parts.policies.map((policy, index) => {
    const read = cedar.policyToJson(policy);
    const id = read.type === "success" ? read.json.annotations?.["id"] : undefined;
    return { name: id === undefined ? `${name}.${index + 1}` : `${name}.${id}`, text: policy };
  });
}

function readTree(cedar: typeof Cedar, { name, text }: NamedPolicy): PolicyJson {
  const read = cedar.policyToJson(text);
  if (read.type === "failure") return refuse(name, read.errors[0]?.message ?? "is not Cedar");
  const outcome = read.json.annotations?.["outcome"];
  if (outcome !== undefined && !OUTCOMES.has(outcome))
    refuse(name, `@outcome may be "ask" or "alert", not "${outcome}"`);
  if (outcome === "ask" && read.json.effect !== "forbid")
    refuse(name, `@outcome("ask") stands at a forbid: it is what a person may lift`);
  findVisible([read.json.conditions], (field) => refuse(name, `there is no context.${field}`));
  return read.json;
}

function describeResource({ action, scope, target }: Ask): { type: string; id: string } {
  return { type: action === "call" ? "Service" : "Subject", id: `${scope}/${target}` };
}

let count = 0;

/** Makes policies ready; `asking` are those that a person may lift. */
function compile(cedar: typeof Cedar, policies: readonly NamedPolicy[]): Rights {
  const trees = policies.map((policy) => readTree(cedar, policy));
  const visible = findVisible(trees.map(({ conditions }) => conditions));
  const known = new Map<string, Known>(
    trees.map(({ effect, annotations }, i) => [
      policies[i]?.name ?? "",
      { effect, outcome: annotations?.["outcome"] },
    ]),
  );
  const twice = policies.find(
    ({ name }, i) => policies.findLastIndex((one) => one.name === name) > i,
  );
  if (twice !== undefined) refuse(twice.name, "two policies have the same name");
  const id = `rights-${++count}`;
  const keep = (name: string, isKept: (one: NamedPolicy) => boolean): void => {
    const staticPolicies: Record<string, Policy> = Object.fromEntries(
      policies.filter(isKept).map((one) => [one.name, one.text]),
    );
    const answer = cedar.preparsePolicySet(name, { staticPolicies });
    if (answer.type === "failure") refuse("policies", answer.errors[0]?.message ?? "");
  };
  keep(id, () => true);
  keep(`${id}-granted`, ({ name }) => known.get(name)?.outcome !== "ask");
  const cache = new Map<string, Ruling>();

  function decideAnew(ask: Ask, context: RightsContext, granted: boolean): Ruling {
    const principal = { type: "Agent", id: `${ask.scope}/${ask.caller}` };
    const resource = describeResource(ask);
    const answer = cedar.statefulIsAuthorized({
      principal,
      action: { type: "Action", id: ask.action },
      resource,
      context,
      preparsedPolicySetId: granted ? `${id}-granted` : id,
      entities: [
        { uid: principal, attrs: {}, parents: [{ type: "Scope", id: ask.scope }] },
        { uid: resource, attrs: {}, parents: [{ type: "Scope", id: ask.scope }] },
      ],
    });
    if (answer.type === "failure")
      return { outcome: "deny", policies: [], because: answer.errors[0]?.message ?? "no answer" };
    const { decision, diagnostics } = answer.response;
    // Cedar leaves out a policy that it cannot evaluate, also one that forbids; here nothing passes then.
    const [broken] = diagnostics.errors;
    if (broken !== undefined)
      return {
        outcome: "deny",
        policies: [broken.policyId],
        because: `${broken.policyId} cannot be evaluated: ${broken.error.message}`,
      };
    const names = diagnostics.reason.toSorted((a, b) => (a < b ? -1 : 1));
    const marked = (word: string) => names.filter((name) => known.get(name)?.outcome === word);
    if (decision === "allow") {
      const alerting = marked("alert");
      if (alerting.length === 0)
        return { outcome: "allow", policies: names, because: `${names.join(", ")} permits it` };
      return {
        outcome: "alert",
        policies: names,
        because: `${alerting.join(", ")} permits it and wants it told`,
      };
    }
    if (names.length === 0)
      return { outcome: "deny", policies: [], because: "no policy permits it" };
    const isAsked = names.every((name) => known.get(name)?.outcome === "ask");
    const what = isAsked ? "wants a person to be asked" : "forbids it";
    return {
      outcome: isAsked ? "ask" : "deny",
      policies: names,
      because: `${names.join(", ")} ${what}`,
    };
  }

  return {
    names: policies.map(({ name }) => name),
    decideAnew,
    decide(ask, context, granted) {
      const key = `${ask.scope}/${ask.caller}\n${ask.action}\n${ask.target}\n${granted}${makeKey(context, visible)}`;
      const before = cache.get(key);
      if (before !== undefined) return before;
      const ruling = decideAnew(ask, context, granted);
      if (cache.size >= CACHE_MAX) cache.clear();
      cache.set(key, ruling);
      return ruling;
    },
    [Symbol.dispose]() {
      // The evaluator keeps sets by name and forgets none: an empty one takes the place.
      for (const name of [id, `${id}-granted`])
        cedar.preparsePolicySet(name, { staticPolicies: {} });
      cache.clear();
    },
  };
}

/** Loads Cedar; some 90 ms and 40 MB. */
export async function openRightsCompiler(): Promise<RightsCompiler> {
  const cedar = await import("@cedar-policy/cedar-wasm/nodejs");
  return {
    read: (name, text) => readPolicies(cedar, name, text),
    compile: (policies) => compile(cedar, policies),
  };
}
