// SPDX-License-Identifier: Apache-2.0
// The engine's documents, as far as Fairlead reads them, made into facts. Only fields that every API from 1.41 to the
// newest has: addresses come from Networks, never from the fields that 1.52 dropped.
import type { InstanceFact, InstanceHealth, InstanceState } from "#model/facts.ts";
import { COMPOSE_LABELS, OWN_LABELS } from "#model/facts.ts";

interface BindingDocument {
  readonly HostIp?: string;
  readonly HostPort?: string;
}

interface EndpointDocument {
  readonly IPAddress?: string;
  readonly GlobalIPv6Address?: string;
  readonly MacAddress?: string;
}

/** `GET /containers/{id}/json` */
export interface ContainerDocument {
  readonly Id: string;
  readonly Name: string;
  readonly Created: string;
  readonly Image: string;
  readonly Config: {
    readonly Image: string;
    readonly Tty?: boolean;
    readonly Labels?: Readonly<Record<string, string>> | null;
  };
  readonly State: {
    readonly Status: string;
    readonly ExitCode: number;
    readonly OOMKilled?: boolean;
    readonly Error?: string;
    readonly StartedAt: string;
    readonly FinishedAt: string;
    readonly Pid?: number;
    readonly Health?: {
      readonly Status?: string;
      readonly Log?:
        | readonly { readonly End: string; readonly ExitCode: number; readonly Output: string }[]
        | null;
    };
  };
  readonly HostConfig: {
    readonly NetworkMode?: string;
    readonly PidMode?: string;
    readonly IpcMode?: string;
    readonly RestartPolicy?: { readonly Name?: string };
  };
  readonly Mounts?:
    | readonly { readonly Type?: string; readonly Name?: string; readonly Destination?: string }[]
    | null;
  readonly NetworkSettings: {
    readonly Ports?: Readonly<Record<string, readonly BindingDocument[] | null>> | null;
    readonly Networks?: Readonly<Record<string, EndpointDocument>> | null;
  };
}

/** The engine's RFC 3339 time in milliseconds; 0 for its "never" (year 1). */
export function parseTime(text: string | undefined): number {
  if (text === undefined || text.startsWith("0001-")) return 0;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? 0 : ms;
}

const HEALTH: ReadonlySet<string> = new Set(["starting", "healthy", "unhealthy"]);

function readHealth(status: string | undefined): InstanceHealth {
  return status !== undefined && HEALTH.has(status) ? (status as InstanceHealth) : "none";
}

/** Networks where the container is at the moment: one that does not run has no MAC. */
function readEndpoints(
  networks: readonly (readonly [string, EndpointDocument])[],
): NonNullable<InstanceFact["endpoints"]> {
  const present = networks.flatMap(([name, endpoint]) => {
    const { MacAddress: mac = "", IPAddress: v4 = "", GlobalIPv6Address: v6 = "" } = endpoint;
    const addresses = [v4, v6].filter((address) => address !== "");
    return mac === "" ? [] : [[name, { mac, addresses }] as const];
  });
  return Object.fromEntries(present);
}

/** The name that the engine gives to a volume when nobody else does. */
const ANONYMOUS = /^[0-9a-f]{64}$/;

/** Id of the container whose namespace a mode says is shared. */
export function readShare(mode: string | undefined): string | undefined {
  return mode?.startsWith("container:") === true ? mode.slice("container:".length) : undefined;
}

function readPorts(document: ContainerDocument): InstanceFact["ports"] {
  return Object.entries(document.NetworkSettings.Ports ?? {}).flatMap(([port, bindings]) => {
    const [number = "0", protocol = "tcp"] = port.split("/");
    return (bindings ?? []).map((binding) => ({
      hostIp: binding.HostIp ?? "",
      hostPort: Number(binding.HostPort ?? 0),
      containerPort: Number(number),
      protocol,
    }));
  });
}

function readSlot(labels: Readonly<Record<string, string>>): number {
  const slot = Number(labels[OWN_LABELS.slot] ?? labels[COMPOSE_LABELS.number] ?? 1);
  return Number.isInteger(slot) && slot > 0 ? slot : 1;
}

/** Who it is, as its labels say. */
export function readIdentity(
  labels: Readonly<Record<string, string>>,
): Pick<InstanceFact, "scope" | "service" | "slot" | "hash" | "oneoff" | "labels"> {
  return {
    scope: labels[OWN_LABELS.scope] ?? labels[COMPOSE_LABELS.project] ?? "",
    service: labels[OWN_LABELS.service] ?? labels[COMPOSE_LABELS.service] ?? "",
    slot: readSlot(labels),
    hash: labels[OWN_LABELS.hash],
    oneoff: labels[COMPOSE_LABELS.oneoff] === "True",
    labels,
  };
}

/** A container as a fact. */
export function toInstance(document: ContainerDocument): InstanceFact {
  const { State: state, HostConfig: host } = document;
  const networks = Object.entries(document.NetworkSettings.Networks ?? {});
  return {
    id: document.Id,
    name: document.Name.replace(/^\//, ""),
    ...readIdentity(document.Config.Labels ?? {}),
    image: document.Config.Image,
    imageId: document.Image,
    state: state.Status as InstanceState,
    health: state.Status === "running" ? readHealth(state.Health?.Status) : "none",
    exitCode: state.ExitCode,
    oomKilled: state.OOMKilled ?? false,
    error: state.Error ?? "",
    createdAtMs: parseTime(document.Created),
    startedAtMs: parseTime(state.StartedAt),
    finishedAtMs: parseTime(state.FinishedAt),
    engineRestart:
      host.RestartPolicy?.Name === undefined || host.RestartPolicy.Name === ""
        ? "no"
        : host.RestartPolicy.Name,
    networkFrom: readShare(host.NetworkMode),
    ...(state.Pid === undefined || state.Pid === 0 ? {} : { pid: state.Pid }),
    pidFrom: readShare(host.PidMode),
    ipcFrom: readShare(host.IpcMode),
    anonymousVolumes: (document.Mounts ?? []).flatMap(({ Type, Name = "", Destination }) =>
      Type === "volume" && ANONYMOUS.test(Name) && Destination !== undefined
        ? [{ name: Name, target: Destination }]
        : [],
    ),
    addresses: Object.fromEntries(
      networks.map(([name, endpoint]) => [name, endpoint.IPAddress ?? ""]),
    ),
    endpoints: readEndpoints(networks),
    ports: readPorts(document),
  };
}
