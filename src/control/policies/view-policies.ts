// SPDX-License-Identifier: Apache-2.0
// Policies with what has become of them here.
import type { Facts } from "#model/facts.ts";
import type { NetworkPolicy, PolicyMode, PolicyView } from "#model/policy.ts";
import { findIdleParts } from "#policy/find-idle-parts.ts";
import { matchLabels } from "#policy/select.ts";
import type { PolicyInstance, PolicyWorld } from "#policy/world.ts";
import { isGuardable, listOnHost, toInstance } from "./build-world.ts";
import { listOnBare } from "./held-networks.ts";

export interface PoliciesSeen {
  readonly declared: readonly NetworkPolicy[];
  /** Those that follow from labels. */
  readonly labels: readonly NetworkPolicy[];
  readonly world: PolicyWorld;
  readonly facts: Pick<Facts, "networks" | "instances">;
  readonly modeOf: (scope: string) => PolicyMode;
}

/** Above so many pairs of a policy and an instance it is not looked for what is about nobody. */
const PAIRS_MAX = 250_000;

function compare(a: NetworkPolicy, b: NetworkPolicy): number {
  const [first, second] = [`${a.scope}/${a.name}`, `${b.scope}/${b.name}`];
  return first < second ? -1 : first > second ? 1 : 0;
}

const namesIn = (
  among: readonly PolicyInstance[],
  { scope, instances: selector }: NetworkPolicy,
): string[] =>
  among
    .filter((one) => one.scope === scope && matchLabels(selector, one.labels))
    .map(({ name }) => name);

/** By scope and name. */
export function viewPolicies(seen: PoliciesSeen): readonly PolicyView[] {
  const { declared, labels, world, facts, modeOf } = seen;
  const onHost = listOnHost(facts.instances);
  const onBare = listOnBare(facts).filter(isGuardable).map(toInstance);
  const pairs = (declared.length + labels.length) * world.instances.length;
  const view = (policy: NetworkPolicy, origin: PolicyView["origin"]): PolicyView => ({
    policy,
    origin,
    mode: modeOf(policy.scope),
    selects: namesIn(world.instances, policy),
    unenforced: namesIn(onHost, policy),
    partly: namesIn(onBare, policy),
    idle: pairs > PAIRS_MAX ? [] : [...findIdleParts(policy, world)],
  });
  return [
    ...declared.map((policy) => view(policy, "declared")),
    ...labels.map((policy) => view(policy, "label")),
  ].toSorted((a, b) => compare(a.policy, b.policy));
}
