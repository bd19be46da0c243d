// SPDX-License-Identifier: Apache-2.0
// Keeps what DNS answers in line with what is there: services with their healthy instances, agents with their addresses.
import type { Logger } from "#base/logger.ts";
import { FairleadError } from "#base/errors.ts";
import { listZoneServices } from "#discovery/dns/list-zone-services.ts";
import type { Zone, ZoneMember, ZonePort, ZoneService } from "#discovery/dns/zone.ts";
import type { Fabric } from "#fabric/fabric.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { FactsBoard } from "./facts-board.ts";

export interface NamingOptions {
  readonly zone: Pick<Zone, "put" | "remove">;
  readonly board: FactsBoard;
  readonly fabric: Pick<Fabric, "registry" | "list">;
  readonly logger: Logger;
}

export interface Naming {
  run(signal: AbortSignal): Promise<void>;
}

/** Whether an instance may be named in an answer. */
function takesTraffic({ state, health, oneoff }: InstanceFact): boolean {
  return !oneoff && state === "running" && (health === "none" || health === "healthy");
}

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

function toMember(instance: InstanceFact): ZoneMember {
  const published = instance.ports.map(({ containerPort, protocol }): ZonePort => ({
    name: String(containerPort),
    port: containerPort,
    protocol: protocol === "udp" ? "udp" : "tcp",
  }));
  const said = readPortLabel(instance.labels[PORT_LABEL] ?? "");
  const ports = new Map(
    [...published, ...said].map((one) => [`${one.name} ${one.port}/${one.protocol}`, one]),
  );
  return {
    label: String(instance.slot),
    addresses: Object.values(instance.addresses).filter((address) => address !== ""),
    ports: [...ports.values()],
  };
}

/** The name that others call it by: what its label says, else its service. */
function nameOf({ labels, service }: InstanceFact): string {
  const said = labels[NAME_LABEL] ?? "";
  return NAME.test(said) ? said : service;
}

/**
 * Services of containers; one whose instances are all ill or gone keeps its name, without an address. Services that are
 * called by one name are one.
 */
export function listContainerServices(instances: readonly InstanceFact[]): readonly ZoneService[] {
  const named = instances.filter(({ scope, service }) => scope !== "" && service !== "");
  const groups = Map.groupBy(named, (one) => `${one.scope}/${nameOf(one)}`);
  return [...groups.values()].flatMap((group): ZoneService[] => {
    const [first] = group;
    if (first === undefined) return [];
    const members = group.filter(takesTraffic).map(toMember);
    return [{ scope: first.scope, name: nameOf(first), members }];
  });
}

/** Makes the loop. */
export function createNaming({ zone, board, fabric, logger }: NamingOptions): Naming {
  /** What the zone has, by scope and name, as text to compare. */
  const known = new Map<string, string>();
  const refused = new Set<string>();
  let due = false;

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
    for (const service of listZoneServices(fabric.list()))
      wanted.set(`${service.scope}/${service.name}`, service);
    // Containers win over the agents inside of them: the engine knows of their health.
    for (const service of listContainerServices(board.ready ? board.read().instances : []))
      wanted.set(`${service.scope}/${service.name}`, service);
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
  }

  function settleSoon(): void {
    if (due) return;
    due = true;
    setImmediate(() => {
      due = false;
      settle();
    });
  }

  return {
    async run(signal) {
      board.onChange(settleSoon);
      const stop = fabric.registry.watch(settleSoon);
      settle();
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
      stop();
    },
  };
}
