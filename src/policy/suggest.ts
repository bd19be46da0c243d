// SPDX-License-Identifier: Apache-2.0
// The least policies that allow what was seen: one for each service that was seen, with one rule for each of its peers, and
// one that denies everything else in the scope.
import { SCOPE_NAME_LABEL, SERVICE_LABEL } from "./world.ts";

/** One end of what was seen: an instance of a service, or an address of nobody's. */
export type SeenEnd =
  | { readonly scope: string; readonly service: string }
  | { readonly address: string };

/** That one was seen calling another, whether it came through or not. */
export interface Seen {
  readonly from: SeenEnd;
  readonly to: SeenEnd;
  /** As nft calls it. */
  readonly protocol: string;
  /** 0: the protocol has none, or it is not known. */
  readonly port: number;
  /** The name by which `to` was found, where names are allowed by a label. */
  readonly name?: string;
}

/** A NetworkPolicy as Kubernetes writes it. */
export interface Manifest {
  readonly apiVersion: "networking.k8s.io/v1";
  readonly kind: "NetworkPolicy";
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

export interface Suggestion {
  readonly manifests: readonly Manifest[];
  /** What was seen and is not allowed by them, with why. */
  readonly leftOut: readonly { readonly seen: Seen; readonly why: string }[];
}

type Direction = "ingress" | "egress";

/** Ports by peer, both as JSON, in order. */
type Rules = Map<string, Set<string>>;

const PROTOCOLS: Readonly<Record<string, string>> = {
  tcp: "TCP",
  udp: "UDP",
  sctp: "SCTP",
  icmp: "ICMP",
  "ipv6-icmp": "ICMP",
};

function isService(end: SeenEnd): end is Extract<SeenEnd, { service: string }> {
  return "service" in end;
}

function toPeer(end: SeenEnd, scope: string): unknown {
  if (!isService(end))
    return { ipBlock: { cidr: `${end.address}/${end.address.includes(":") ? 128 : 32}` } };
  const podSelector = { matchLabels: { [SERVICE_LABEL]: end.service } };
  return end.scope === scope
    ? { podSelector }
    : { namespaceSelector: { matchLabels: { [SCOPE_NAME_LABEL]: end.scope } }, podSelector };
}

function toPort({ protocol, port }: Seen): unknown {
  const name = PROTOCOLS[protocol] ?? "";
  return name === "ICMP" ? { protocol: name } : { protocol: name, port };
}

/** Why something cannot be allowed by a policy; undefined when it can. */
function refuse({ protocol, port, name }: Seen): string | undefined {
  if (name !== undefined) return `its address is ${name}'s, which fairlead.egress allows by name`;
  const known = PROTOCOLS[protocol];
  if (known === undefined) return `policies have no word for the protocol ${protocol}`;
  if (port === 0 && known !== "ICMP") return "so many ports were called that they were not kept";
  return undefined;
}

function writeRules(rules: Rules | undefined, word: "from" | "to"): unknown[] {
  return [...(rules ?? [])]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([peer, ports]) => ({
      [word]: [JSON.parse(peer)],
      ports: [...ports].toSorted().map((port) => JSON.parse(port) as unknown),
    }));
}

/** Policies of a scope that allow what was seen of its services, and nothing else to any instance of it. */
export function suggestPolicies(scope: string, flows: Iterable<Seen>): Suggestion {
  const services = new Map<string, { ingress: Rules; egress: Rules }>();
  const leftOut: Suggestion["leftOut"][number][] = [];

  function allow(direction: Direction, self: SeenEnd, other: SeenEnd, port: string): void {
    if (!isService(self) || self.scope !== scope) return;
    const own = services.get(self.service) ?? { ingress: new Map(), egress: new Map() };
    services.set(self.service, own);
    const peer = JSON.stringify(toPeer(other, scope));
    const ports = own[direction].get(peer) ?? new Set<string>();
    own[direction].set(peer, ports.add(port));
  }

  for (const seen of flows) {
    const why = refuse(seen);
    if (why !== undefined) {
      leftOut.push({ seen, why });
      continue;
    }
    const port = JSON.stringify(toPort(seen));
    allow("egress", seen.from, seen.to, port);
    allow("ingress", seen.to, seen.from, port);
  }

  const used = new Set(["seen-nothing-else"]);
  /** Services may differ in letters that names of policies cannot have. */
  function nameFor(service: string): string {
    const plain = `seen-${service.toLowerCase().replaceAll("_", "-")}`;
    let name = plain;
    for (let count = 2; used.has(name); count++) name = `${plain}-${count}`;
    used.add(name);
    return name;
  }
  const write = (name: string, spec: Manifest["spec"]): Manifest => ({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name, namespace: scope },
    spec: { ...spec, policyTypes: ["Ingress", "Egress"] },
  });
  const own = [...services]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([service, { ingress, egress }]) =>
      write(nameFor(service), {
        podSelector: { matchLabels: { [SERVICE_LABEL]: service } },
        ingress: writeRules(ingress, "from"),
        egress: writeRules(egress, "to"),
      }),
    );
  return { manifests: [write("seen-nothing-else", { podSelector: {} }), ...own], leftOut };
}
