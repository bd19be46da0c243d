// SPDX-License-Identifier: Apache-2.0
// What other policies would say to what was seen.
import { FairleadError } from "#base/errors.ts";
import { controlErrors } from "#control/errors.ts";
import type { Guard } from "#guard/guard.ts";
import type { EffectRequest, EffectView, FlowEffect, FlowEnd, FlowView } from "#model/flows.ts";
import type { NetworkPolicy } from "#model/policy.ts";
import { explainConversation, type Party } from "#policy/explain.ts";
import { parsePolicies } from "#policy/parse-policies.ts";
import type { PolicyWorld } from "#policy/world.ts";
import { PROTOCOLS } from "./flow-watch.ts";

export interface EffectScene {
  readonly world: PolicyWorld;
  /** Those in force. */
  readonly policies: readonly NetworkPolicy[];
}

/** A request with the policies of its text. Throws what `parsePolicies` throws, and FL0758 where nothing can be said. */
export function readEffect(
  request: EffectRequest,
  { tellsApart, kind }: Pick<Guard, "tellsApart" | "kind">,
): EffectRequest {
  if (!tellsApart)
    throw new FairleadError(controlErrors["flows-untold"], "nothing is known of what was seen", {
      facts: { guard: kind },
    });
  const { text = "", scope, policies, scopes } = request;
  const read = parsePolicies(text, { file: "candidate", scope });
  return {
    ...request,
    policies: [...policies, ...read.policies],
    scopes: { ...scopes, ...read.scopes },
  };
}

/** Policies with those of a request in place of their namesakes. */
function replace(
  policies: readonly NetworkPolicy[],
  news: readonly NetworkPolicy[],
): readonly NetworkPolicy[] {
  const names = new Set(news.map(({ scope, name }) => `${scope}/${name}`));
  return [...policies.filter(({ scope, name }) => !names.has(`${scope}/${name}`)), ...news];
}

/** Judges what was seen by the policies that there would be, all of them enforced. */
export function judgeEffect(
  request: EffectRequest,
  seen: readonly FlowView[],
  { world, policies }: EffectScene,
): EffectView {
  const there = replace(policies, request.policies);
  const scopes = new Map([...world.scopes, ...Object.entries(request.scopes)]);
  const would = { instances: world.instances, scopes };
  const byName = new Map(world.instances.map((one) => [one.name, one]));
  const touched = new Set([
    ...request.policies.map(({ scope }) => scope),
    ...Object.keys(request.scopes),
  ]);
  const toParty = ({ instance, address, name }: FlowEnd): Party =>
    (instance === undefined ? undefined : byName.get(instance)) ??
    (name === undefined ? { address } : { address, name });

  function judge(flow: FlowView): FlowEffect | undefined {
    const protocol = PROTOCOLS[flow.protocol];
    if (protocol === undefined) return undefined;
    const ends = { from: toParty(flow.from), to: toParty(flow.to) };
    const { allowed, steps } = explainConversation(there, would, {
      ...ends,
      protocol,
      port: flow.port,
    });
    const step = steps.find(({ verdict }) => verdict === "deny") ?? steps.find((one) => one.policy);
    return {
      flow,
      verdict: allowed ? "allow" : "deny",
      ...(step?.policy === undefined ? {} : { policy: step.policy }),
      ...(step?.at === undefined ? {} : { at: step.at }),
    };
  }

  const judged = seen
    .filter(({ from, to }) => touched.has(from.scope ?? "") || touched.has(to.scope ?? ""))
    .flatMap((flow) => judge(flow) ?? []);
  // What would be dropped by a policy that is watched passes too.
  const effects = judged.filter(
    ({ flow, verdict }) => (flow.verdict !== "dropped") !== (verdict === "allow"),
  );
  return { judged: judged.length, same: judged.length - effects.length, effects };
}
