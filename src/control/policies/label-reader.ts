// SPDX-License-Identifier: Apache-2.0
// Policies that follow from labels of services.
import type { Intent } from "#model/intent.ts";
import type { NetworkPolicy } from "#model/policy.ts";
import { makeLabelPolicy } from "#policy/label-policies.ts";

/** A policy of a service's label keeps its object while the service is the same. */
export function createLabelReader(): (intents: readonly Intent[]) => readonly NetworkPolicy[] {
  let known = new Map<string, { readonly text: string; readonly policy: NetworkPolicy }>();
  return (intents) => {
    const next: typeof known = new Map();
    for (const { scope, services } of intents)
      for (const { name, container, origins, at } of services) {
        const labels = container.Labels ?? {};
        const policy = makeLabelPolicy({ scope, service: name, labels, origins, at });
        if (policy === undefined) continue;
        const text = JSON.stringify(policy);
        const before = known.get(`${scope}/${name}`);
        next.set(`${scope}/${name}`, before?.text === text ? before : { text, policy });
      }
    known = next;
    return [...next.values()].map(({ policy }) => policy);
  };
}
