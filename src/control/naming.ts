// SPDX-License-Identifier: Apache-2.0
// Keeps what DNS answers in line with what is there: services with their healthy instances, agents with their addresses.
import { awaitAbort } from "#base/await-abort.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { listZoneServices } from "#discovery/dns/list-zone-services.ts";
import type { Zone, ZonePort, ZoneService } from "#discovery/dns/zone.ts";
import type { Fabric } from "#fabric/fabric.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceAddresses } from "./addresses/service-addresses.ts";
import type { FactsBoard } from "./facts-board.ts";
import type { Farewells } from "./farewells.ts";
import { gatherCalls } from "./gather-calls.ts";

export interface NamingOptions {
  readonly zone: Pick<Zone, "put" | "remove" | "complete">;
  readonly board: FactsBoard;
  readonly fabric: Pick<Fabric, "everyone">;
  /** Services of other hosts, where there is a fleet. */
  readonly elsewhere?:
    | {
        list(): readonly ZoneService[];
        /** Whether all hosts that live have told theirs. */
        readonly isWhole: boolean;
        onChange(listener: () => void): () => void;
      }
    | undefined;
  /** Instances that are about to be stopped: they are named no more. */
  readonly farewells: Pick<Farewells, "has" | "onChange" | "heed">;
  /** The addresses that stand for whole services. */
  readonly standing: Pick<ServiceAddresses, "find" | "onChange">;
  readonly logger: Logger;
}

export interface Naming {
  run(signal: AbortSignal): Promise<void>;
}

/** Whether an instance may be named in an answer. */
function takesTraffic({ state, health, oneoff }: InstanceFact): boolean {
  return !oneoff && state === "running" && (health === "none" || health === "healthy");
}

/** Ids of instances that are about to be stopped. */
type Leaving = Pick<Farewells, "has">;
const NOBODY: Leaving = { has: () => false };

/** Labels by which a container says how it is called and on which ports. */
const NAME_LABEL = "fairlead.name";
const PORT_LABEL = "fairlead.port";
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$/;
const PORT = /^(\d{1,5})(?:\/([a-z0-9]+))?$/;

/** `8080/http, 53/udp`: each by its number, and by what is spoken there. What is no port is passed over. */
function readPortLabel(text: string): ZonePort[] {
  return text.split(/[\s,]+/).flatMap((part): ZonePort[] => {
    const [, digits = "", word = "tcp"] = PORT.exec(part) ?? [];
    const port = Number(digits);
    if (port < 1 || port > 65_535) return [];
    const protocol = word === "udp" ? "udp" : "tcp";
    const plain: ZonePort = { name: digits, port, protocol };
    return word === protocol ? [plain] : [plain, { name: word, port, protocol }];
  });
}

/** An instance as other nodes are told of it; what leads to it from there, they know. */
export interface TellableMember {
  readonly label: string;
  readonly addresses: readonly string[];
  readonly ports: readonly ZonePort[];
  /** Ports of the host that lead to it, by the names of those inside. */
  readonly published: readonly ZonePort[];
}

/** A service with its healthy instances, as other nodes are told of it. */
export interface TellableService extends Pick<ZoneService, "scope" | "name"> {
  readonly members: readonly TellableMember[];
}

const toProtocol = (word: string): ZonePort["protocol"] => (word === "udp" ? "udp" : "tcp");

function toMember(instance: InstanceFact): TellableMember {
  const inside = instance.ports.map(({ containerPort, protocol }): ZonePort => ({
    name: String(containerPort),
    port: containerPort,
    protocol: toProtocol(protocol),
  }));
  const said = readPortLabel(instance.labels[PORT_LABEL] ?? "");
  const ports = new Map(
    [...inside, ...said].map((one) => [`${one.name} ${one.port}/${one.protocol}`, one]),
  );
  const endpoints = Object.values(instance.endpoints ?? {}).flatMap(({ addresses }) => addresses);
  return {
    label: String(instance.slot),
    addresses: [
      ...new Set([...Object.values(instance.addresses).filter((one) => one !== ""), ...endpoints]),
    ],
    ports: [...ports.values()],
    published: listPublished(instance, said),
  };
}

/** Ports of the host, each by the number of the one inside, and by what is said to be spoken there. */
function listPublished({ ports }: InstanceFact, said: readonly ZonePort[]): readonly ZonePort[] {
  return ports
    .filter(({ hostIp, hostPort }) => hostPort > 0 && !/^127\.|^::1$/.test(hostIp))
    .flatMap(({ hostPort: port, containerPort, protocol: word }) => {
      const protocol = toProtocol(word);
      const words = said.filter((one) => one.port === containerPort && one.protocol === protocol);
      const names = new Set([String(containerPort), ...words.map(({ name }) => name)]);
      return [...names].map((name): ZonePort => ({ name, port, protocol }));
    });
}

/** The name that others call it by: what its label says, else its service. */
function nameOf({ labels, service }: InstanceFact): string {
  const said = labels[NAME_LABEL] ?? "";
  return NAME.test(said) ? said : service;
}

/**
 * Services of containers; one whose instances are all ill, gone or about to leave keeps its name, without an instance.
 * Services that are called by one name are one.
 */
export function listTellable(
  instances: readonly InstanceFact[],
  leaving: Leaving = NOBODY,
): readonly TellableService[] {
  const named = instances.filter(({ scope, service }) => scope !== "" && service !== "");
  const groups = Map.groupBy(named, (one) => `${one.scope}/${nameOf(one)}`);
  return [...groups.values()].flatMap((group): TellableService[] => {
    const [first] = group;
    if (first === undefined) return [];
    const members = group.filter((one) => takesTraffic(one) && !leaving.has(one.id)).map(toMember);
    return [{ scope: first.scope, name: nameOf(first), members }];
  });
}

/** The same as this host's DNS says them. */
export function listContainerServices(
  instances: readonly InstanceFact[],
  leaving: Leaving = NOBODY,
): readonly ZoneService[] {
  return listTellable(instances, leaving).map(({ members, ...service }) => ({
    ...service,
    members: members.map(({ label, addresses, ports }) => ({ label, addresses, ports })),
  }));
}

/** One name with all its instances, wherever they are. */
function join(services: readonly ZoneService[]): ZoneService | undefined {
  const [first] = services;
  return first && { ...first, members: services.flatMap(({ members }) => members) };
}

/** Makes the loop. */
export function createNaming(options: NamingOptions): Naming {
  const { zone, board, fabric, elsewhere, farewells, standing, logger } = options;
  /** What the zone has, by scope and name, as text to compare. */
  const known = new Map<string, string>();
  const refused = new Set<string>();

  function put(key: string, service: ZoneService): void {
    try {
      zone.put(service);
    } catch (thrown) {
      if (!refused.has(key))
        logger.warn("a name cannot be in DNS", {
          object: key,
          reason: FairleadError.from(thrown).message,
        });
      refused.add(key);
    }
  }

  function settle(): void {
    const wanted = new Map<string, ZoneService>();
    for (const service of listZoneServices(fabric.everyone.list()))
      wanted.set(`${service.scope}/${service.name}`, service);
    // While the engine does not answer its containers run on: what was last known of them holds.
    const here = listContainerServices(board.read().instances, farewells);
    const all = [...here, ...(elsewhere?.list() ?? [])];
    // Containers win over the agents inside of them: the engine knows of their health.
    for (const [key, services] of Map.groupBy(all, ({ scope, name }) => `${scope}/${name}`)) {
      const service = join(services);
      if (service === undefined) continue;
      const addresses = standing.find(service.scope, service.name);
      wanted.set(key, addresses.length === 0 ? service : { ...service, addresses });
    }
    for (const [key, service] of wanted) {
      const text = JSON.stringify(service);
      if (known.get(key) === text) continue;
      known.set(key, text);
      put(key, service);
    }
    for (const key of known.keys()) {
      if (wanted.has(key)) continue;
      known.delete(key);
      refused.delete(key);
      const cut = key.indexOf("/");
      zone.remove(key.slice(0, cut), key.slice(cut + 1));
    }
    if (board.ready && elsewhere?.isWhole !== false) zone.complete();
  }

  const settleSoon = gatherCalls(settle);

  return {
    async run(signal) {
      farewells.heed(settleSoon);
      const look = (): void => void settleSoon();
      const stops = [
        board.onChange(look),
        fabric.everyone.watch(look),
        elsewhere?.onChange(look),
        standing.onChange(look),
        farewells.onChange(look),
      ];
      settle();
      await awaitAbort(signal);
      for (const stop of stops) stop?.();
    },
  };
}
