// SPDX-License-Identifier: Apache-2.0
// Facts as policies see them. Instances that have not changed stay the same objects, which is how the compiler knows.
import { formatAddress, parseAddress } from "#base/addresses.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { ScopePolicies } from "#model/policy.ts";
import { readPorts } from "#policy/read-ports.ts";
import {
  SERVICE_LABEL,
  SERVICE_SHORT_LABEL,
  type PolicyInstance,
  type PolicyWorld,
} from "#policy/world.ts";

function listAddresses({ endpoints = {} }: Pick<InstanceFact, "endpoints">): readonly string[] {
  return Object.values(endpoints)
    .flatMap(({ addresses }) => addresses)
    .flatMap((text) => {
      const parsed = parseAddress(text);
      return parsed === undefined ? [] : [formatAddress(parsed.family, parsed.value)];
    });
}

/** Whether policy can be about it: it runs, and has a network that is not another's. */
export function isGuardable(instance: InstanceFact): boolean {
  const { state, networkFrom, pid } = instance;
  const runs = state === "running" || state === "paused";
  return runs && networkFrom === undefined && pid !== undefined && !isOnHost(instance);
}

/** Whether it lives in the host's own network. */
export function isOnHost({ addresses }: InstanceFact): boolean {
  return Object.hasOwn(addresses, "host");
}

/** A container as policies see it. */
export function toInstance(fact: InstanceFact): PolicyInstance {
  const { id, name, scope, service, labels } = fact;
  return {
    id,
    name,
    scope,
    service,
    labels: { [SERVICE_SHORT_LABEL]: service, ...labels, [SERVICE_LABEL]: service },
    addresses: listAddresses(fact),
    ports: readPorts(labels),
  };
}

/** Those that live in the host's own network. */
export function listOnHost(instances: readonly InstanceFact[]): readonly PolicyInstance[] {
  return instances.filter(isOnHost).map(toInstance);
}

/** Makes worlds out of facts, one after the other. */
export function createWorldBuilder(): (
  instances: readonly InstanceFact[],
  scopes: ReadonlyMap<string, ScopePolicies>,
  others: readonly PolicyInstance[],
) => PolicyWorld {
  let known = new Map<string, { readonly text: string; readonly instance: PolicyInstance }>();
  return (facts, scopes, others) => {
    const next: typeof known = new Map();
    for (const fact of facts) {
      if (!isGuardable(fact)) continue;
      const made = toInstance(fact);
      const text = JSON.stringify(made);
      const before = known.get(fact.id);
      next.set(fact.id, before?.text === text ? before : { text, instance: made });
    }
    known = next;
    return {
      instances: [...[...next.values()].map(({ instance }) => instance), ...others],
      scopes: new Map([...scopes].map(([scope, { labels }]) => [scope, labels])),
    };
  };
}

/** Those of this host as other hosts reach them: with their addresses on networks that are those hosts' too. */
export function listReachable(
  instances: readonly PolicyInstance[],
  facts: readonly InstanceFact[],
  isWide: (network: string) => boolean,
): readonly PolicyInstance[] {
  const byId = new Map(instances.map((one) => [one.id, one]));
  return facts.flatMap((fact) => {
    const instance = byId.get(fact.id);
    if (instance === undefined) return [];
    const wide = Object.entries(fact.endpoints ?? {}).filter(([name]) => isWide(name));
    const addresses = listAddresses({ ...fact, endpoints: Object.fromEntries(wide) });
    return addresses.length === 0 ? [] : [{ ...instance, addresses }];
  });
}
