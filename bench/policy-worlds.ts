// SPDX-License-Identifier: Apache-2.0
// Many instances and many policies, as the benchmark of policies compiles them.
import type {
  NetworkPolicy,
  PolicyPeer,
  PolicyRule,
  PolicySelector,
} from "@fairlead/protocol/policy.ts";
import type { PolicyInstance, PolicyWorld } from "#policy/world.ts";

/** Instances of one scope of this many. */
const SCOPE_SIZE = 100;
const TIERS = 10;

const select = (labels: Readonly<Record<string, string>>): PolicySelector => ({
  labels: { ...labels },
  requirements: [],
});

/** An instance; its role is one of ten of its scope. */
export function makeInstance(index: number, role = index % TIERS): PolicyInstance {
  const scope = `s${Math.floor(index / SCOPE_SIZE)}`;
  const service = `svc${index % (SCOPE_SIZE / 2)}`;
  return {
    id: `i${index}`,
    name: `${service}-${index}`,
    scope,
    service,
    labels: { app: service, role: `r${role}`, service, "io.fairlead.service": service },
    addresses: [
      `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
      `fd00::${index.toString(16)}`,
    ],
    ports: [{ name: "http", protocol: "TCP", port: 8080 }],
  };
}

/** A world of so many instances. */
export function makeWorld(count: number): PolicyWorld {
  return {
    instances: Array.from({ length: count }, (_, index) => makeInstance(index)),
    scopes: new Map(),
  };
}

/** Policies for the services of all scopes, one kind after the other: own tier, another's by port, other scopes, blocks. */
export function makePolicies(count: number, scopes: number): readonly NetworkPolicy[] {
  return Array.from({ length: count }, (_, index): NetworkPolicy => {
    const at = { file: "policies.yaml", line: index + 1 };
    const kinds: readonly PolicyPeer[] = [
      { kind: "instances", instances: select({ role: `r${index % TIERS}` }) },
      {
        kind: "instances",
        scopes: select({}),
        instances: select({ role: `r${(index + 3) % TIERS}` }),
      },
      { kind: "block", block: "10.0.0.0/8", except: [`10.0.${index & 255}.0/24`] },
    ];
    const port = index % 2 === 0 ? 8080 : "http";
    const rule: PolicyRule = {
      peers: kinds.slice(index % kinds.length, (index % kinds.length) + 1),
      ports: [{ protocol: "TCP", port }],
      at,
    };
    return {
      scope: `s${index % scopes}`,
      name: `p${index}`,
      instances: select({ app: `svc${Math.floor(index / scopes) % (SCOPE_SIZE / 2)}` }),
      ...(index % 4 === 3 ? { egress: [rule] } : { ingress: [rule] }),
      at,
    };
  });
}
