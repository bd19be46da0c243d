// SPDX-License-Identifier: Apache-2.0
// A service's intent as a request to place it.
import { parseConstraint } from "#model/constraint.ts";
import type { ServiceIntent, VolumeIntent } from "#model/intent.ts";
import type { PlaceRequest } from "./offer.ts";

/** What is known of a service besides its intent. */
export interface RequestFacts {
  readonly scope: string;
  /** Of its intent. */
  readonly volumes: readonly VolumeIntent[];
  /**
   * Ids of the nodes that have the data of a local volume, by its name in the engine, or of a directory of the host, by
   * its path. What is not in it may be made anywhere.
   */
  readonly dataNodes: ReadonlyMap<string, readonly string[]>;
  /** Node ids of its instances, one entry for each. */
  readonly standing: readonly string[];
}

/** Directories that every host has of its own: they pin nothing. */
const HOST_PATH = /^\/(?:proc|sys|dev|run|var\/run|etc\/(?:localtime|timezone))(?:\/|$)/;
const FIXED_PORT = /^\d+$/;

/** Names in the engine of local volumes, and paths of directories of the host, that a service mounts; each once. */
export function listLocalData(
  service: ServiceIntent,
  volumes: readonly VolumeIntent[],
): readonly string[] {
  const { Mounts = [], Binds = [] } = service.container.HostConfig ?? {};
  const used = volumes.filter(({ key }) => service.volumes.includes(key));
  const elsewhere = new Set(
    used
      .filter(({ driver = "local", options }) => driver !== "local" || "device" in options)
      .map(({ name }) => name),
  );
  const mounts = Mounts.filter(({ Type }) => Type === "volume" || Type === "bind");
  const sources = [
    ...used.map(({ name }) => name),
    ...mounts.map(({ Source = "" }) => Source),
    ...Binds.map((bind) => bind.split(":")[0] ?? ""),
  ].filter((source) => source !== "" && !elsewhere.has(source) && !HOST_PATH.test(source));
  return [...new Set(sources)].sort();
}

/** Host ports that are one number: `tcp/80`. */
function listFixedPorts({ container }: ServiceIntent): readonly string[] {
  const bindings = Object.entries(container.HostConfig?.PortBindings ?? {});
  const ports = bindings.flatMap(([port, hosts]) =>
    hosts.flatMap(({ HostPort = "" }) =>
      FIXED_PORT.test(HostPort) && HostPort !== "0"
        ? [`${port.split("/")[1] ?? "tcp"}/${HostPort}`]
        : [],
    ),
  );
  return [...new Set(ports)].sort();
}

/** The request for one service. Constraints that are none are left out: the reader of the file has warned. */
export function buildPlaceRequest(service: ServiceIntent, facts: RequestFacts): PlaceRequest {
  const { scope, volumes, dataNodes, standing } = facts;
  const { perNodeMax, near, apart, ...placement } = service.placement;
  const qualify = (name: string): string => (name.includes("/") ? name : `${scope}/${name}`);
  return {
    ...placement,
    service: `${scope}/${service.name}`,
    count: service.replicas,
    constraints: service.constraints.flatMap((text) => parseConstraint(text) ?? []),
    ports: listFixedPorts(service),
    pins: listLocalData(service, volumes).flatMap((volume) => {
      const nodes = dataNodes.get(volume);
      return nodes === undefined ? [] : [{ volume, nodes }];
    }),
    perNodeMax: service.fixedName === undefined ? (perNodeMax ?? Infinity) : 1,
    near: near.map(qualify),
    apart: apart.map(qualify),
    standing,
  };
}
