// SPDX-License-Identifier: Apache-2.0
// Who there is: what policies are about. Made from facts; plain data.
import type { PolicyProtocol } from "#model/policy.ts";

/** A port with a name, which policies may call it by. */
export interface NamedPort {
  readonly name: string;
  readonly protocol: PolicyProtocol;
  readonly port: number;
}

/** An instance as policies see it. */
export interface PolicyInstance {
  readonly id: string;
  readonly name: string;
  readonly scope: string;
  readonly service: string;
  readonly labels: Readonly<Record<string, string>>;
  /** IPv4 and IPv6, as the kernel writes them. */
  readonly addresses: readonly string[];
  readonly ports: readonly NamedPort[];
}

/** Everything that policies can name. */
export interface PolicyWorld {
  readonly instances: readonly PolicyInstance[];
  /** Labels of scopes; a scope that is not here has none of its own. */
  readonly scopes: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** Addresses of the node's name server, which whoever may call names may ask. */
  readonly resolvers?: readonly string[];
}

/** The label that every scope has, as every namespace of Kubernetes has it. */
export const SCOPE_NAME_LABEL = "kubernetes.io/metadata.name";
/** The label by which a service is meant for certain: nobody can give it to another. */
export const SERVICE_LABEL = "io.fairlead.service";
/** The same for people, unless an instance has a label of its own of that name. */
export const SERVICE_SHORT_LABEL = "service";

/** Labels of a scope with the one that all have. */
export function labelsOfScope(
  world: Pick<PolicyWorld, "scopes">,
  scope: string,
): Readonly<Record<string, string>> {
  return { ...world.scopes.get(scope), [SCOPE_NAME_LABEL]: scope };
}
