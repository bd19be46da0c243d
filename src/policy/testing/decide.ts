// SPDX-License-Identifier: Apache-2.0
// A small cluster through the parser, the compiler and the tables.
import type { PolicyProtocol } from "#model/policy.ts";
import { compilePolicies, findTable, type CompiledPolicies } from "#policy/compile-policies.ts";
import { lookUp } from "#policy/look-up.ts";
import { parsePolicies } from "#policy/parse-policies.ts";
import type { PolicyInstance } from "#policy/world.ts";
import type { Cluster, Flow, Pod } from "./oracle.ts";

/** Addresses name pods here, so that each has one. */
export interface Compiled {
  readonly tables: CompiledPolicies;
  decide(flow: Flow): boolean;
}

function toInstance({ namespace = "", labels, address, ports }: Pod): PolicyInstance {
  return {
    id: address,
    name: address,
    scope: namespace,
    service: "",
    labels,
    addresses: [address],
    ports: ports.map((one) => ({ ...one, protocol: one.protocol as PolicyProtocol })),
  };
}

/** Compiles what the manifests say, as a person would have written them. */
export function compileCluster(cluster: Cluster, pods: readonly Pod[]): Compiled {
  const documents = cluster.policies.map((policy) =>
    JSON.stringify({ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", ...policy }),
  );
  const { policies } = parsePolicies(documents.join("\n---\n"), { file: "p.yaml", scope: "x" });
  const world = {
    instances: pods.map(toInstance),
    scopes: new Map(Object.entries(cluster.namespaces)),
  };
  const tables = compilePolicies(policies, world);
  return {
    tables,
    decide({ from, to, protocol, port }) {
      const seen = { protocol: protocol as PolicyProtocol, port };
      const leaves =
        from.namespace === undefined ||
        lookUp(findTable(tables, from.address).egress, { ...seen, address: to.address });
      const enters =
        to.namespace === undefined ||
        lookUp(findTable(tables, to.address).ingress, { ...seen, address: from.address });
      return leaves && enters;
    },
  };
}
