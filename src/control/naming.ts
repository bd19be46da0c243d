// SPDX-License-Identifier: Apache-2.0
// Keeps what DNS answers in line with what is there: services with their healthy instances, agents with their addresses.
import type { Logger } from "#base/logger.ts";
import { FairleadError } from "#base/errors.ts";
import { listZoneServices } from "#discovery/dns/list-zone-services.ts";
import type { Zone, ZoneMember, ZoneService } from "#discovery/dns/zone.ts";
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

function toMember(instance: InstanceFact): ZoneMember {
  const ports = new Map(
    instance.ports.map(({ containerPort, protocol }) => [
      `${containerPort}/${protocol}`,
      {
        name: String(containerPort),
        port: containerPort,
        protocol: protocol === "udp" ? ("udp" as const) : ("tcp" as const),
      },
    ]),
  );
  return {
    label: String(instance.slot),
    addresses: Object.values(instance.addresses).filter((address) => address !== ""),
    ports: [...ports.values()],
  };
}

/** Services of containers; one whose instances are all ill or gone keeps its name, without an address. */
export function listContainerServices(instances: readonly InstanceFact[]): readonly ZoneService[] {
  const named = instances.filter(({ scope, service }) => scope !== "" && service !== "");
  const groups = Map.groupBy(named, ({ scope, service }) => `${scope}/${service}`);
  return [...groups.values()].flatMap((group): ZoneService[] => {
    const [first] = group;
    if (first === undefined) return [];
    const members = group.filter(takesTraffic).map(toMember);
    return [{ scope: first.scope, name: first.service, members }];
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
