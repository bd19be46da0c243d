// SPDX-License-Identifier: Apache-2.0
// Intent: what the owner of a scope wants. Made from Compose files by `compose`, sent to the node by the CLI,
// checked again by the node with these schemas, kept in the store, and read by `brain`.
import { z } from "zod";
import { ContainerConfig } from "./container.ts";

/** A place in a file that a person wrote; lines and columns count from 1. */
export const SourceRef = z.strictObject({
  file: z.string(),
  line: z.number().int().optional(),
  column: z.number().int().optional(),
});
export type SourceRef = z.infer<typeof SourceRef>;

/** Something to tell the owner about a file: never silent, never fatal (a fatal one is an error). */
export const Diagnostic = z.strictObject({
  severity: z.enum(["warning", "error"]),
  /** Stable id, `FL0210`. */
  id: z.string(),
  slug: z.string(),
  message: z.string(),
  /** The nearest known word, or what to do. */
  hint: z.string().optional(),
  at: SourceRef.optional(),
});
export type Diagnostic = z.infer<typeof Diagnostic>;

/** Names of scopes, as Compose has them for projects. */
export const ScopeName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_-]{0,62}$/,
    "lower-case letters, digits, - and _, at most 63 characters",
  );
/** Names of services, as Compose has them. */
export const ServiceName = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$/, "letters, digits, . _ -, at most 128 characters");

/** How an instance is joined to one network. `network` is a key of Intent.networks. */
export const Attachment = z.strictObject({
  network: z.string(),
  aliases: z.array(z.string()).optional(),
  ipv4Address: z.string().optional(),
  ipv6Address: z.string().optional(),
  linkLocalIps: z.array(z.string()).optional(),
  macAddress: z.string().optional(),
  driverOptions: z.record(z.string(), z.string()).optional(),
});
export type Attachment = z.infer<typeof Attachment>;

/** A namespace shared with another: with the instance of a service in the same scope, or with a container by name or id. */
export const SharedNamespace = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("service"), service: z.string() }),
  z.strictObject({ kind: z.literal("container"), container: z.string() }),
]);
export type SharedNamespace = z.infer<typeof SharedNamespace>;

/** Which network namespace an instance lives in. */
export const NetworkMode = z.discriminatedUnion("kind", [
  /** On the attachments, the first being the default route. */
  z.strictObject({ kind: z.literal("networks"), attachments: z.array(Attachment).min(1) }),
  /** The engine's default bridge. */
  z.strictObject({ kind: z.literal("bridge") }),
  z.strictObject({ kind: z.literal("host") }),
  z.strictObject({ kind: z.literal("none") }),
  z.strictObject({ kind: z.literal("service"), service: z.string() }),
  z.strictObject({ kind: z.literal("container"), container: z.string() }),
]);
export type NetworkMode = z.infer<typeof NetworkMode>;

/** A file written into the container before its first start (inline configs and secrets). */
export const InlineFile = z.strictObject({
  /** Absolute path in the container. */
  path: z.string(),
  mode: z.number().int(),
  uid: z.number().int(),
  gid: z.number().int(),
  /** Base64. */
  content: z.string(),
});
export type InlineFile = z.infer<typeof InlineFile>;

/** One entry of `depends_on`: `started`, `healthy` by its health check, or `completed` with code 0. */
export const Dependency = z.strictObject({
  service: z.string(),
  condition: z.enum(["started", "healthy", "completed"]),
  /** Restart this service after the other was restarted or recreated. */
  restart: z.boolean(),
  /** When false, a missing dependency is a warning, not an obstacle. */
  required: z.boolean(),
});
export type Dependency = z.infer<typeof Dependency>;

/**
 * What to do when an instance has exited.
 * `default`: nothing was written; an exit with 0 is completion, anything else is healed.
 */
export const RestartIntent = z.strictObject({
  policy: z.enum(["default", "no", "on-failure", "always", "unless-stopped"]),
  /** Only for on-failure; absent means no limit. */
  attemptsMax: z.number().int().optional(),
  /** Wait between attempts; absent means the ladder's back-off. */
  delayMs: z.number().optional(),
  /** How long an instance has to stay up to count as good. */
  windowMs: z.number().optional(),
  at: SourceRef.optional(),
});
export type RestartIntent = z.infer<typeof RestartIntent>;

/** `fairlead.heal`: which ladder, and how many acts in which time before quarantine. */
export const HealIntent = z.strictObject({
  /** restart: restart, then recreate. replace: recreate at once. alert: only tell. off: not even that. */
  ladder: z.enum(["restart", "replace", "alert", "off"]),
  actsMax: z.number().int().min(1),
  windowMs: z.number().min(1_000),
  at: SourceRef.optional(),
});
export type HealIntent = z.infer<typeof HealIntent>;

/** How a change is rolled out. */
export const UpdateIntent = z.strictObject({
  /** auto: start-first where nothing fixed (host port, name, address, shared namespace) forbids it. */
  order: z.enum(["auto", "start-first", "stop-first"]),
  /** Instances changed at once; 0 means all. */
  parallelism: z.number().int().min(0),
  delayMs: z.number(),
  /** How long a new instance without a health check has to stay up to count as good. */
  monitorMs: z.number(),
  onFailure: z.enum(["pause", "continue", "rollback"]),
  at: SourceRef.optional(),
});
export type UpdateIntent = z.infer<typeof UpdateIntent>;

/** Where instances may stand when there are several nodes, and what each reserves there. */
export const PlacementIntent = z.strictObject({
  /** `deploy.mode: global`: one on each node that takes it. */
  everywhere: z.boolean(),
  /** What one instance reserves: thousandths of a core, bytes, and devices by kind (`gpu`, or the owner's own). */
  cpuMillis: z.number().min(0),
  memoryBytes: z.number().min(0),
  devices: z.record(z.string(), z.number().min(0)),
  /** As far apart as can be, or on as few nodes as can be. */
  strategy: z.enum(["spread", "pack"]),
  /** Keys over whose values to spread, the widest first: `node.labels.zone`. None is that one, for `spread`. */
  spreadOver: z.array(z.string()),
  /** Absent means no limit. */
  perNodeMax: z.number().int().min(1).optional(),
  /** Services beside which it would rather stand, and with which it shares no node: `NAME`, or `SCOPE/NAME`. */
  near: z.array(z.string()),
  apart: z.array(z.string()),
  /** Higher ones are placed first. */
  priority: z.number().int(),
});
export type PlacementIntent = z.infer<typeof PlacementIntent>;

/** `fairlead.address`: one address for all instances of a service, and how connections to it are given to them. */
export const AddressIntent = z.strictObject({
  /** To instances on the caller's host, while it has any. */
  local: z.boolean(),
  /** All of a caller's to the same instance. */
  sticky: z.boolean(),
  /** An IPv6 address too, although no network of the file says that it has IPv6. */
  ipv6: z.boolean(),
});
export type AddressIntent = z.infer<typeof AddressIntent>;

/** When the owner wrote nothing: spread over zones and nodes, nothing reserved. */
export const PLACEMENT_DEFAULT: PlacementIntent = {
  everywhere: false,
  cpuMillis: 0,
  memoryBytes: 0,
  devices: {},
  strategy: "spread",
  spreadOver: [],
  near: [],
  apart: [],
  priority: 0,
};

/** Image to build before the first create; the CLI sends the context, the node builds through the engine. */
export const BuildIntent = z.strictObject({
  /** Absolute directory or URL. */
  context: z.string(),
  dockerfile: z.string(),
  dockerfileInline: z.string().optional(),
  args: z.record(z.string(), z.string()),
  target: z.string().optional(),
  labels: z.record(z.string(), z.string()),
  cacheFrom: z.array(z.string()),
  extraHosts: z.array(z.string()),
  network: z.string().optional(),
  platform: z.string().optional(),
  shmSizeBytes: z.number().optional(),
  noCache: z.boolean(),
  pull: z.boolean(),
  tags: z.array(z.string()),
});
export type BuildIntent = z.infer<typeof BuildIntent>;

/** What one service is to be. Everything that was left out in the file has its default here. */
export const ServiceIntent = z.strictObject({
  /** The key in the Compose file. */
  name: ServiceName,
  replicas: z.number().int().min(0).max(10_000),
  /** Which of the replicas stand on this host. Set by nodes of a fleet alone; absent means all. */
  slots: z.array(z.number().int().min(1)).optional(),
  /** `fairlead.failover`, when it is not to move only once its node is gone. */
  failover: z.enum(["eager", "stay"]).optional(),
  /** `fairlead.singleton`: of each slot one instance runs on the whole fleet at most, even if none does for a while. */
  singleton: z.boolean().optional(),
  /** `fairlead.address`; absent: it has none. */
  address: AddressIntent.optional(),
  container: ContainerConfig,
  platform: z.string().optional(),
  network: NetworkMode,
  pid: SharedNamespace.optional(),
  ipc: SharedNamespace.optional(),
  volumesFrom: z.array(z.strictObject({ from: SharedNamespace, readOnly: z.boolean() })),
  /** Keys of Intent.volumes that its mounts use; they are created first. */
  volumes: z.array(z.string()),
  files: z.array(InlineFile),
  /** `container_name`: a fixed name allows one instance only. */
  fixedName: z.string().optional(),
  dependsOn: z.array(Dependency),
  restart: RestartIntent,
  heal: HealIntent,
  update: UpdateIntent,
  /** Milliseconds between the stop signal and the kill; the engine's unit is seconds. */
  stopGraceMs: z.number(),
  pull: z.enum(["missing", "always", "never", "build"]),
  build: BuildIntent.optional(),
  /** `fairlead.ttl`: instances older than this are replaced or, when the scope no longer wants them, reaped. */
  ttlMs: z.number().optional(),
  /** `deploy.placement.constraints` as written: a host that does not meet them makes no instance. */
  constraints: z.array(z.string()),
  placement: PlacementIntent,
  /** Where the service stands, and where parts of it stand: `healthcheck`, `restart`, `labels.fairlead.heal` … */
  at: SourceRef,
  origins: z.record(z.string(), SourceRef),
  /** Hash of everything whose change needs a new container; replicas, restart, heal, update are not in it. */
  hash: z.string(),
});
export type ServiceIntent = z.infer<typeof ServiceIntent>;

/** A network that services attach to; `hash` is of all whose change needs the network to be made anew. */
export const NetworkIntent = z.strictObject({
  /** Key in the Compose file; "default" for the implied one. */
  key: z.string(),
  /** Name in the engine. */
  name: z.string(),
  /** An external network is used, never created, changed or removed. */
  external: z.boolean(),
  driver: z.string().optional(),
  /** com.docker.network.driver.mtu and others, as the engine has them. */
  options: z.record(z.string(), z.string()),
  internal: z.boolean(),
  attachable: z.boolean(),
  enableIpv6: z.boolean(),
  ipam: z
    .strictObject({
      driver: z.string().optional(),
      options: z.record(z.string(), z.string()).optional(),
      config: z.array(
        z.strictObject({
          Subnet: z.string().optional(),
          IPRange: z.string().optional(),
          Gateway: z.string().optional(),
          AuxiliaryAddresses: z.record(z.string(), z.string()).optional(),
        }),
      ),
    })
    .optional(),
  labels: z.record(z.string(), z.string()),
  at: SourceRef.optional(),
  hash: z.string(),
});
export type NetworkIntent = z.infer<typeof NetworkIntent>;

/** A named volume: `key` in the Compose file, `name` in the engine. It is never removed for a change. */
export const VolumeIntent = z.strictObject({
  key: z.string(),
  name: z.string(),
  external: z.boolean(),
  driver: z.string().optional(),
  options: z.record(z.string(), z.string()),
  labels: z.record(z.string(), z.string()),
  at: SourceRef.optional(),
  hash: z.string(),
});
export type VolumeIntent = z.infer<typeof VolumeIntent>;

/** Everything one scope wants. Services that are in no active profile are not in it. */
export const Intent = z.strictObject({
  scope: ScopeName,
  services: z.array(ServiceIntent).max(5_000),
  networks: z.array(NetworkIntent),
  volumes: z.array(VolumeIntent),
  /** The Compose files it came from, in order, and the directory that relative paths were resolved against. */
  files: z.array(z.string()),
  projectDirectory: z.string(),
  diagnostics: z.array(Diagnostic),
});
export type Intent = z.infer<typeof Intent>;
