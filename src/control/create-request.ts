// SPDX-License-Identifier: Apache-2.0
// From a service's intent to what the engine is asked to create: names and namespaces resolved against the facts.
import { FairleadError } from "#base/errors.ts";
import { listNamedTargets } from "#brain/mounts.ts";
import type { CreateRequest } from "#engine/engine.ts";
import { COMPOSE_LABELS, OWN_LABELS, type InstanceFact } from "#model/facts.ts";
import type { Intent, Mount, ServiceIntent, SharedNamespace } from "#model/intent.ts";
import { controlErrors } from "./errors.ts";
import type { FactsBoard } from "./facts-board.ts";
import { CREDENTIAL_FILES } from "./identity/credential-files.ts";
import type { Access } from "./identity/places.ts";

/** Labels that say whose a container is; Compose's too, so that Compose's own tools keep seeing it. */
function makeLabels(intent: Intent, service: ServiceIntent, slot: number): Record<string, string> {
  return {
    [OWN_LABELS.scope]: intent.scope,
    [OWN_LABELS.service]: service.name,
    [OWN_LABELS.slot]: String(slot),
    [OWN_LABELS.hash]: service.hash,
    [COMPOSE_LABELS.project]: intent.scope,
    [COMPOSE_LABELS.service]: service.name,
    [COMPOSE_LABELS.number]: String(slot),
    [COMPOSE_LABELS.oneoff]: "False",
    [COMPOSE_LABELS.workingDir]: intent.projectDirectory,
    [COMPOSE_LABELS.configFiles]: intent.files.join(","),
  };
}

/** Labels of a network or volume of the scope. */
export function makeResourceLabels(
  intent: Intent,
  resource: { readonly key: string; readonly hash: string },
  kind: "network" | "volume",
): Record<string, string> {
  return {
    [OWN_LABELS.scope]: intent.scope,
    [OWN_LABELS.key]: resource.key,
    [OWN_LABELS.hash]: resource.hash,
    [COMPOSE_LABELS.project]: intent.scope,
    [kind === "network" ? COMPOSE_LABELS.network : COMPOSE_LABELS.volume]: resource.key,
  };
}

/** Where a container's place is inside of it: the fabric's socket, and its certificate when it is in files. */
const PLACE_DIRECTORY = "/run/fairlead";

/** Where the guarded Docker API is inside of containers. */
const DOCKER_DIRECTORY = "/run/fairlead-docker";

interface Place {
  /** Directory of the guarded Docker API, for services that say `fairlead.docker`. */
  readonly dockerDirectory?: string | undefined;
  /** Given for agents and those who say `fairlead.identity`, on an engine of this host. */
  readonly access?: Access | undefined;
  /** Asked by the container for names, in this order, when its file names no other server. */
  readonly dnsServers?: readonly string[];
  readonly board: FactsBoard;
  readonly intent: Intent;
  readonly slot: number;
}

function resolveContainer(place: Place, shared: SharedNamespace): string {
  const { board, intent, slot } = place;
  if (shared.kind === "container") {
    const found = board.find(shared.container);
    if (found !== undefined) return found.id;
    throw new FairleadError(
      controlErrors["act-failed"],
      `there is no container ${shared.container} to share with`,
    );
  }
  const candidates = board
    .read()
    .instances.filter((i) => i.scope === intent.scope && i.service === shared.service && !i.oneoff);
  const running = candidates.filter((i) => i.state === "running");
  const best = running.find((i) => i.slot === slot) ?? running[0] ?? candidates[0];
  if (best !== undefined) return best.id;
  throw new FairleadError(
    controlErrors["act-failed"],
    `service ${shared.service} has no instance to share with`,
  );
}

function resolveNetworkMode(place: Place, service: ServiceIntent): string {
  const { network } = service;
  switch (network.kind) {
    case "networks": {
      const first = network.attachments[0]?.network;
      return place.intent.networks.find((n) => n.key === first)?.name ?? first ?? "bridge";
    }
    case "service":
    case "container":
      return `container:${resolveContainer(place, network)}`;
    default:
      return network.kind;
  }
}

function resolveEndpoints(
  place: Place,
  service: ServiceIntent,
  name: string,
): CreateRequest["endpoints"] {
  if (service.network.kind !== "networks") return [];
  return service.network.attachments.map((attachment) => {
    const { network, aliases, ...rest } = attachment;
    const known = place.intent.networks.find((candidate) => candidate.key === network);
    return {
      ...rest,
      network: known?.name ?? network,
      aliases: [...new Set([service.name, name, ...(aliases ?? [])])],
    };
  });
}

/** Where a program finds its certificate: by the variables of Fairlead's SDK and of SPIFFE's libraries. */
function makeIdentityEnv({ identity }: Access): Readonly<Record<string, string>> {
  const at = (file: string): string => `${PLACE_DIRECTORY}/${file}`;
  const { ca, certificate, key, revoked } = CREDENTIAL_FILES;
  const files = {
    FAIRLEAD_TLS_CA: at(ca),
    FAIRLEAD_TLS_CERT: at(certificate),
    FAIRLEAD_TLS_KEY: at(key),
    FAIRLEAD_TLS_CRL: at(revoked),
  };
  return {
    SPIFFE_ENDPOINT_SOCKET: `unix://${at("fabric.sock")}`,
    ...(identity === "files" ? files : {}),
    ...(identity === "socket" ? { FAIRLEAD_TLS: "node" } : {}),
  };
}

/** What a container finds in its environment; what its owner set stays. */
function makePlaceEnv(place: Place, service: ServiceIntent, access: Access): readonly string[] {
  const route = service.container.Labels?.["fairlead.route"];
  const joining = {
    FAIRLEAD_NAME: service.name,
    FAIRLEAD_SCOPE: place.intent.scope,
    FAIRLEAD_TICKET: access.ticket ?? "",
    ...(route === undefined ? {} : { FAIRLEAD_ROUTE: route }),
  };
  const env: Readonly<Record<string, string>> = {
    FAIRLEAD_FABRIC: `unix:${PLACE_DIRECTORY}/fabric.sock`,
    ...(access.ticket === undefined ? {} : joining),
    ...makeIdentityEnv(access),
  };
  const own = new Set((service.container.Env ?? []).map((entry) => entry.split("=")[0]));
  return Object.entries(env).flatMap(([key, value]) => (own.has(key) ? [] : [`${key}=${value}`]));
}

/** The socket's mount and variable; a DOCKER_HOST that the owner set stays. */
function makeDocker({ dockerDirectory }: Place, { container }: ServiceIntent) {
  if (dockerDirectory === undefined) return { mounts: [], env: [] };
  const mount: Mount = {
    Type: "bind",
    Source: dockerDirectory,
    Target: DOCKER_DIRECTORY,
    ReadOnly: true,
  };
  const isSet = (container.Env ?? []).some((entry) => entry.startsWith("DOCKER_HOST="));
  return {
    mounts: [mount],
    env: isSet ? [] : [`DOCKER_HOST=unix://${DOCKER_DIRECTORY}/docker.sock`],
  };
}

/** Mounts with the volumes that are kept: the file may have a volume without a name at the same place, or the image. */
function joinMounts(mounts: readonly Mount[], keep: readonly Mount[]): readonly Mount[] {
  const kept = new Map(keep.map((mount) => [mount.Target, mount]));
  const joined = mounts.map((mount) => ({ ...mount, ...kept.get(mount.Target) }));
  const places = new Set(mounts.map(({ Target }) => Target));
  return [...joined, ...keep.filter(({ Target }) => !places.has(Target))];
}

/** The container's configuration, with what an agent needs to join and the volumes that it keeps. */
function makeConfig(
  place: Place,
  service: ServiceIntent,
  keep: readonly Mount[],
): CreateRequest["config"] {
  const { container } = service;
  const { access } = place;
  const docker = makeDocker(place, service);
  const fabric: readonly Mount[] =
    access === undefined
      ? []
      : [{ Type: "bind", Source: access.directory, Target: PLACE_DIRECTORY, ReadOnly: true }];
  const socket = [...fabric, ...docker.mounts];
  const env = [
    ...(access === undefined ? [] : makePlaceEnv(place, service, access)),
    ...docker.env,
  ];
  const asks =
    service.network.kind === "networks" && (container.HostConfig?.Dns ?? []).length === 0;
  const dns = asks ? (place.dnsServers ?? []) : [];
  const extra = keep.length > 0 || socket.length > 0;
  const Mounts = [...joinMounts(container.HostConfig?.Mounts ?? [], keep), ...socket];
  return {
    StopTimeout: Math.ceil(service.stopGraceMs / 1_000),
    ...container,
    ...(env.length === 0 ? {} : { Env: [...(container.Env ?? []), ...env] }),
    ...(!extra && dns.length === 0
      ? {}
      : {
          HostConfig: {
            ...container.HostConfig,
            ...(extra ? { Mounts } : {}),
            ...(dns.length === 0 ? {} : { Dns: [...dns] }),
          },
        }),
  };
}

/** The whole request. `keep`: anonymous volumes of the container it takes over from. */
export function makeCreateRequest(
  place: Place,
  service: ServiceIntent,
  name: string,
  canonicalName: string,
  keep: readonly Mount[],
): CreateRequest {
  return {
    name,
    config: makeConfig(place, service, keep),
    labels: {
      ...makeLabels(place.intent, service, place.slot),
      ...(place.access === undefined ? {} : { [OWN_LABELS.place]: place.access.place }),
    },
    ...(service.platform === undefined ? {} : { platform: service.platform }),
    networkMode: resolveNetworkMode(place, service),
    endpoints: resolveEndpoints(place, service, canonicalName),
    ...(service.pid === undefined
      ? {}
      : { pidMode: `container:${resolveContainer(place, service.pid)}` }),
    ...(service.ipc === undefined
      ? {}
      : { ipcMode: `container:${resolveContainer(place, service.ipc)}` }),
    volumesFrom: service.volumesFrom.map(
      (entry) => `${resolveContainer(place, entry.from)}${entry.readOnly ? ":ro" : ""}`,
    ),
    files: service.files.map(({ content, ...file }) => ({
      ...file,
      content: Buffer.from(content, "base64"),
    })),
  };
}

/** Anonymous volumes of a container, as mounts, so that a recreation does not lose their data. */
export function keepAnonymousVolumes(
  old: InstanceFact | undefined,
  service: ServiceIntent,
): readonly Mount[] {
  const taken = listNamedTargets(service);
  return (old?.anonymousVolumes ?? [])
    .filter(({ target }) => !taken.has(target))
    .map(({ name, target }) => ({ Type: "volume", Source: name, Target: target }));
}
