// SPDX-License-Identifier: Apache-2.0
// Random policies, of words that clusters of tests have.
import fc from "fast-check";
import type { LabelSelector, Manifest, ManifestPeer, ManifestRule } from "./oracle.ts";

/** Of what policies are made. */
export interface PolicyWords {
  readonly scopes: readonly string[];
  /** Keys and values of labels. */
  readonly keys: readonly string[];
  readonly values: readonly string[];
  readonly blocks: readonly { readonly cidr: string; readonly except?: readonly string[] }[];
}

/** One policy of any scope; its name is `p`. */
export function arbitraryPolicy({
  scopes,
  keys,
  values,
  blocks,
}: PolicyWords): fc.Arbitrary<Manifest> {
  const key = fc.constantFrom(...keys);
  const value = fc.constantFrom(...values);
  const requirement = fc.oneof(
    fc.record({
      key,
      operator: fc.constantFrom("In", "NotIn"),
      values: fc.uniqueArray(value, { minLength: 1, maxLength: 2 }),
    }),
    fc.record({ key, operator: fc.constantFrom("Exists", "DoesNotExist") }),
  );
  const selector: fc.Arbitrary<LabelSelector> = fc.record(
    {
      matchLabels: fc.dictionary(key, value, { maxKeys: 1, noNullPrototype: true }),
      matchExpressions: fc.array(requirement, { maxLength: 1 }),
    },
    { requiredKeys: [] },
  );
  const peer: fc.Arbitrary<ManifestPeer> = fc.oneof(
    { weight: 2, arbitrary: fc.record({ podSelector: selector }) },
    fc.record({ namespaceSelector: selector }),
    fc.record({
      namespaceSelector: fc.oneof(
        selector,
        fc.constant({ matchLabels: { "kubernetes.io/metadata.name": scopes[1] ?? "" } }),
      ),
      podSelector: selector,
    }),
    fc.record({ ipBlock: fc.constantFrom(...blocks) }),
  );
  const port = fc.constantFrom<NonNullable<ManifestRule["ports"]>[number]>(
    {},
    { port: 80 },
    { port: 80, endPort: 90 },
    { port: 85, endPort: 91 },
    { port: "http" },
    { protocol: "UDP" },
    { protocol: "UDP", port: 53 },
    { protocol: "UDP", port: "dns" },
    { protocol: "SCTP", port: 80 },
    { protocol: "ICMP" },
  );

  function rule(side: "from" | "to"): fc.Arbitrary<ManifestRule> {
    return fc.record(
      { [side]: fc.array(peer, { maxLength: 3 }), ports: fc.array(port, { maxLength: 3 }) },
      { requiredKeys: [] },
    );
  }

  return fc
    .record({
      namespace: fc.constantFrom(...scopes),
      spec: fc.record(
        {
          podSelector: selector,
          policyTypes: fc.uniqueArray(fc.constantFrom("Ingress", "Egress"), { maxLength: 2 }),
          ingress: fc.array(rule("from"), { maxLength: 3 }),
          egress: fc.array(rule("to"), { maxLength: 3 }),
        },
        { requiredKeys: ["podSelector"] },
      ),
    })
    .map(({ namespace, spec }) => ({ metadata: { name: "p", namespace }, spec }));
}
