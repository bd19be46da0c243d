// SPDX-License-Identifier: Apache-2.0
// Which network each service has and which suits it, from what this node sees: what is wanted, where it stands, which networks
// span hosts.
import type { NetworkAdvice, NetworkView } from "@fairlead/protocol/network.ts";
import type { FleetPicture, FleetScope } from "#brain/fleet/picture.ts";
import {
  adviseNetwork,
  kindOfDriver,
  kindOfMode,
  type NetworkSituation,
} from "#brain/network-advice.ts";
import type { Intent, ServiceIntent } from "#model/intent.ts";
import { failLookup } from "./lookup.ts";
import type { Roll } from "./roll.ts";

/** What may be asked about networks. */
export interface NetworkDesk {
  /**
   * Every service on each of its networks, by scope, service and network; of one service where it is named: `web`, or
   * `shop/web`. Throws FL0701 `no-such-object`.
   */
  advise(scope?: string, service?: string): readonly NetworkAdvice[];
}

interface NetworkDeskParts {
  readonly roll: Pick<Roll, "list">;
  /** What is wanted of this node's scopes. */
  readonly intents: () => readonly Intent[];
  /** The fleet as its leader looks at it; undefined for a node by itself. */
  readonly picture: () => FleetPicture | undefined;
  /** Networks that span hosts. */
  readonly networks: () => readonly NetworkView[];
}

/** A scope, with the names of the nodes on which each service stands. */
interface Stage {
  readonly intent: Intent;
  readonly nodesOf: (service: ServiceIntent) => readonly string[];
}

function stageFleet({ wanted, assignment }: FleetScope, nameNode: (id: string) => string): Stage {
  const nodesOf = ({ name }: ServiceIntent): readonly string[] => [
    ...new Set((assignment?.services[name] ?? []).map(({ node }) => nameNode(node))),
  ];
  return { intent: wanted.intent, nodesOf };
}

function describeService(
  { intent, nodesOf }: Stage,
  service: ServiceIntent,
  { networks, nodeCount }: { networks: readonly NetworkView[]; nodeCount: number },
): readonly NetworkSituation[] {
  const { scope } = intent;
  const base = {
    scope,
    service: service.name,
    encrypted: false,
    mtu: undefined,
    nodes: nodesOf(service).toSorted(),
    others: [],
    publishes: Object.keys(service.container.HostConfig?.PortBindings ?? {}).length > 0,
    nodeCount,
  };
  if (service.network.kind !== "networks")
    return [{ ...base, network: undefined, has: kindOfMode(service.network) }];
  return service.network.attachments.map(({ network: key }) => {
    const wanted = intent.networks.find((one) => one.key === key);
    const name = wanted?.name ?? key;
    const spanning = networks.find((one) => one.name === name);
    const others = intent.services
      .filter((one) => one !== service && isOn(one, key))
      .map((one) => ({ service: one.name, nodes: nodesOf(one).toSorted() }));
    const has = spanning === undefined ? kindOfDriver(wanted?.driver) : "vxlan";
    const { encrypted = false, mtu } = spanning ?? {};
    return { ...base, network: name, has, encrypted, mtu, others };
  });
}

const isOn = ({ network }: ServiceIntent, key: string): boolean =>
  network.kind === "networks" && network.attachments.some((one) => one.network === key);

/** Makes the desk. */
export function createNetworkDesk(parts: NetworkDeskParts): NetworkDesk {
  function listStages(): readonly Stage[] {
    const views = parts.roll.list();
    const scopes = parts.picture()?.scopes;
    if (scopes !== undefined && scopes.size > 0) {
      const names = new Map(views.map(({ id, name }) => [id, name]));
      return [...scopes.values()]
        .filter(({ wanted }) => wanted.removal === undefined)
        .map((scope) => stageFleet(scope, (id) => names.get(id) ?? id));
    }
    const own = views.find(({ self }) => self)?.name ?? "this host";
    return parts.intents().map((intent) => ({
      intent,
      nodesOf: ({ replicas }) => (replicas > 0 ? [own] : []),
    }));
  }

  return {
    advise(scope, service) {
      const stages = listStages().filter(({ intent }) => intent.scope === (scope ?? intent.scope));
      const around = { networks: parts.networks(), nodeCount: parts.roll.list().length };
      const all = stages.flatMap((stage) =>
        stage.intent.services.flatMap((one) => describeService(stage, one, around)),
      );
      const asked = all.filter(
        (one) =>
          service === undefined ||
          service === one.service ||
          service === `${one.scope}/${one.service}`,
      );
      if (service !== undefined && asked.length === 0)
        return failLookup(
          service,
          all.map((one) => `${one.scope}/${one.service}`),
        );
      const key = (one: NetworkSituation): string =>
        `${one.scope}\0${one.service}\0${one.network ?? ""}`;
      return asked.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)).map(adviseNetwork);
    },
  };
}
