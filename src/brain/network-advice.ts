// SPDX-License-Identifier: Apache-2.0
// Which kind of network suits a service, and why: who has to reach whom across hosts, what is kept apart, what it costs.
import type { NetworkAdvice, NetworkKind } from "@fairlead/protocol/network.ts";
import type { ServiceIntent } from "#model/intent.ts";

/** A service on one network, or on none. */
export interface NetworkSituation {
  readonly scope: string;
  readonly service: string;
  readonly network: string | undefined;
  readonly has: NetworkKind;
  /** Of a network that spans hosts: whether packets are encrypted, and the largest. */
  readonly encrypted: boolean;
  readonly mtu: number | undefined;
  /** Nodes on which the service stands, by name. */
  readonly nodes: readonly string[];
  /** Other services of the network, each with the nodes on which it stands. */
  readonly others: readonly { readonly service: string; readonly nodes: readonly string[] }[];
  /** What other services say that they need of it, or it of them. */
  readonly publishes: boolean;
  /** How many nodes the fleet has; 1 for a node by itself. */
  readonly nodeCount: number;
}

interface Cost {
  readonly throughput: number;
  readonly addedUs: number;
}

/** By `npm run bench -- overlay` on a quiet machine (docs/figures.md): against 27.2 Gbit/s and 45 us between the hosts themselves. */
const COSTS: Partial<Readonly<Record<NetworkKind, Cost>>> = {
  host: { throughput: 1, addedUs: 0 },
  bridge: { throughput: 0.94, addedUs: 2 },
  vxlan: { throughput: 0.68, addedUs: 15 },
  overlay: { throughput: 0.68, addedUs: 16 },
};

const NO_POLICY = "network policies do not hold for what has no network of its own";
const READABLE = "who is on the way between the hosts can read it: `encrypted`";
const SLOW_GO =
  "where the kernel has no WireGuard, wireguard-go encrypts: 0.44 Gbit/s and 165 us more";
const PUBLISH = "others reach it by the ports that it publishes";

const list = (names: readonly string[]): string => names.join(", ");

/** Who has to be reached on another host than the service itself, as the middle of a sentence; undefined when nobody. */
function findFar({ service, nodes, others }: NetworkSituation): string | undefined {
  if (nodes.length > 1) return `${service} stands on ${list(nodes)}`;
  const far = others.find((other) => other.nodes.some((node) => !nodes.includes(node)));
  return far === undefined || nodes.length === 0
    ? undefined
    : `${far.service} stands on ${list(far.nodes)} and ${service} on ${list(nodes)}`;
}

interface Judgement {
  readonly suits: NetworkKind;
  readonly why: string;
  readonly notes?: readonly string[];
}

function judgeBridge(situation: NetworkSituation, far: string | undefined): Judgement {
  const { nodeCount, nodes } = situation;
  if (far !== undefined)
    return {
      suits: "vxlan",
      why: `${far}: over a bridge neither reaches what is on the other host`,
      notes: ["`driver: vxlan` on the network in the Compose file; it is made anew then"],
    };
  const alone = nodeCount <= 1 ? "there is one host" : `all of it stands on ${list(nodes)}`;
  return { suits: "bridge", why: `${nodes.length === 0 ? "nothing of it runs yet" : alone}` };
}

function judgeSpanning(situation: NetworkSituation, far: string | undefined): Judgement {
  const { has, encrypted, nodeCount } = situation;
  const notes = encrypted ? [SLOW_GO] : [READABLE];
  if (far !== undefined) return { suits: has, why: far, notes };
  if (nodeCount <= 1)
    return { suits: "bridge", why: "there is one host: a bridge does the same and costs less" };
  return { suits: has, why: "the fleet may place parts of it on several hosts", notes };
}

/** Judges what has no network of its own by what it could have. */
function judgeHost(far: string | undefined): Judgement {
  const suits = far === undefined ? "bridge" : "vxlan";
  const why = "nothing keeps it and the host apart: it reaches, and takes, every port of the host";
  return {
    suits,
    why: `${why}; host suits what has to see the host's own interfaces`,
    notes: [NO_POLICY],
  };
}

function judge(situation: NetworkSituation): Judgement {
  const { has, publishes } = situation;
  const far = findFar(situation);
  switch (has) {
    case "bridge":
      return judgeBridge(situation, far);
    case "vxlan":
    case "overlay":
      return judgeSpanning(situation, far);
    case "host":
      return judgeHost(far);
    case "none":
      return publishes
        ? { suits: "bridge", why: "it publishes ports, and nobody reaches them" }
        : { suits: "none", why: "it reaches nobody, and nobody it" };
    case "macvlan":
    case "ipvlan":
      return {
        suits: has,
        why: "it has addresses of the hosts' own network, and reaches other hosts as far as that does",
        notes: ["its own host does not reach it", READABLE],
      };
    case "shared":
      return { suits: "shared", why: "it has the network of another, and what suits that" };
    case "other":
      return { suits: "other", why: "its driver is none that Fairlead knows" };
  }
}

/** What a service has, what suits it, and why. */
export function adviseNetwork(situation: NetworkSituation): NetworkAdvice {
  const { scope, service, network, has, encrypted, mtu, nodes, publishes } = situation;
  const { suits, why, notes = [] } = judge(situation);
  const cost = encrypted ? undefined : COSTS[has];
  const isFar = suits === "vxlan" && has === "bridge" && publishes;
  return {
    scope,
    service,
    ...(network === undefined ? {} : { network }),
    has,
    encrypted,
    ...(mtu === undefined ? {} : { mtu }),
    nodes: [...nodes],
    suits,
    why,
    ...(cost === undefined ? {} : { cost }),
    notes: [...notes, ...(isFar ? [PUBLISH] : [])],
  };
}

/** The kind of a network by its driver in the file. */
export function kindOfDriver(driver: string | undefined): NetworkKind {
  switch (driver) {
    case undefined:
    case "bridge":
      return "bridge";
    case "vxlan":
    case "overlay":
    case "macvlan":
    case "ipvlan":
    case "host":
      return driver;
    case "null":
    case "none":
      return "none";
    default:
      return "other";
  }
}

/** The kind where a service names no network. */
export function kindOfMode({ kind }: ServiceIntent["network"]): NetworkKind {
  switch (kind) {
    case "bridge":
    case "networks":
      return "bridge";
    case "host":
    case "none":
      return kind;
    case "service":
    case "container":
      return "shared";
  }
}
