// SPDX-License-Identifier: Apache-2.0
// A second reading of the published semantics of NetworkPolicy, written from its API reference and sharing nothing with the
// compiler: over manifests as they are, one flow at a time, with addresses as texts of bits.
export interface Manifest {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly podSelector?: LabelSelector;
    readonly policyTypes?: readonly string[];
    readonly ingress?: readonly ManifestRule[];
    readonly egress?: readonly ManifestRule[];
  };
}

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>> | null;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export interface ManifestPeer {
  readonly podSelector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

export interface ManifestRule {
  readonly from?: readonly ManifestPeer[];
  readonly to?: readonly ManifestPeer[];
  readonly ports?: readonly {
    readonly protocol?: string;
    readonly port?: number | string;
    readonly endPort?: number;
  }[];
}

/** A pod, or with no namespace something outside of the cluster. */
export interface Pod {
  readonly namespace?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly address: string;
  readonly ports: readonly {
    readonly name: string;
    readonly port: number;
    readonly protocol: string;
  }[];
}

export interface Flow {
  readonly from: Pod;
  readonly to: Pod;
  readonly protocol: string;
  readonly port: number;
}

export interface Cluster {
  readonly namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly policies: readonly Manifest[];
}

function bitsOf(address: string): string {
  if (address.includes(".")) {
    const octets = address.split(".").map((octet) => Number(octet).toString(2).padStart(8, "0"));
    return `4${octets.join("")}`;
  }
  const [head = "", tail = ""] = address.split("::");
  const left = head.split(":").filter((group) => group !== "");
  const right = tail.split(":").filter((group) => group !== "");
  const middle = address.includes("::")
    ? Array.from({ length: 8 - left.length - right.length }, () => "0")
    : [];
  const groups = [...left, ...middle, ...right];
  return `6${groups.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, "0")).join("")}`;
}

function isWithin(address: string, cidr: string): boolean {
  const [network = "", length = ""] = cidr.split("/");
  const [mine, theirs] = [bitsOf(address), bitsOf(network)];
  const compared = Number(length) + 1;
  return mine.slice(0, compared) === theirs.slice(0, compared);
}

function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const wanted = new Map(Object.entries(labels));
  for (const [key, value] of Object.entries(selector.matchLabels ?? {}))
    if (wanted.get(key) !== value) return false;
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const isIn = wanted.has(key) && values.includes(wanted.get(key) ?? "");
    if (operator === "In" && !isIn) return false;
    if (operator === "NotIn" && isIn) return false;
    if (operator === "Exists" && !wanted.has(key)) return false;
    if (operator === "DoesNotExist" && wanted.has(key)) return false;
  }
  return true;
}

function isPeer(cluster: Cluster, policy: Manifest, peer: ManifestPeer, pod: Pod): boolean {
  if (peer.ipBlock !== undefined)
    return (
      isWithin(pod.address, peer.ipBlock.cidr) &&
      !(peer.ipBlock.except ?? []).some((hole) => isWithin(pod.address, hole))
    );
  if (pod.namespace === undefined) return false;
  const inNamespace =
    peer.namespaceSelector === undefined
      ? pod.namespace === policy.metadata.namespace
      : selects(peer.namespaceSelector, {
          ...cluster.namespaces[pod.namespace],
          "kubernetes.io/metadata.name": pod.namespace,
        });
  return inNamespace && selects(peer.podSelector ?? {}, pod.labels);
}

function isPort(flow: Flow, ports: ManifestRule["ports"]): boolean {
  if (ports === undefined || ports.length === 0) return true;
  return ports.some(({ protocol = "TCP", port, endPort }) => {
    if (protocol !== flow.protocol) return false;
    if (port === undefined) return true;
    if (typeof port === "number") return flow.port >= port && flow.port <= (endPort ?? port);
    return flow.to.ports.some(
      (one) => one.name === port && one.protocol === protocol && one.port === flow.port,
    );
  });
}

function isIsolated({ spec }: Manifest, direction: "Ingress" | "Egress"): boolean {
  if (spec.policyTypes !== undefined && spec.policyTypes.length > 0)
    return spec.policyTypes.includes(direction);
  return direction === "Ingress" || (spec.egress ?? []).length > 0;
}

function passes(cluster: Cluster, flow: Flow, direction: "Ingress" | "Egress"): boolean {
  const [self, other] = direction === "Ingress" ? [flow.to, flow.from] : [flow.from, flow.to];
  const applying = cluster.policies.filter(
    (policy) =>
      self.namespace === policy.metadata.namespace &&
      selects(policy.spec.podSelector ?? {}, self.labels) &&
      isIsolated(policy, direction),
  );
  if (applying.length === 0) return true;
  return applying.some((policy) =>
    (direction === "Ingress" ? policy.spec.ingress : policy.spec.egress)?.some((rule) => {
      const peers = direction === "Ingress" ? rule.from : rule.to;
      const isMeant =
        peers === undefined ||
        peers.length === 0 ||
        peers.some((peer) => isPeer(cluster, policy, peer, other));
      return isMeant && isPort(flow, rule.ports);
    }),
  );
}

/** Whether both ends let a flow pass. */
export function isAllowed(cluster: Cluster, flow: Flow): boolean {
  return passes(cluster, flow, "Egress") && passes(cluster, flow, "Ingress");
}
