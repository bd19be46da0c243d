// SPDX-License-Identifier: Apache-2.0
// What a container is to be: the part of the Docker Engine API's create body that Fairlead sets.
// Names and units are the Engine's (https://docs.docker.com/reference/api/engine/), so that a reader
// can compare an intent with `docker inspect`. Unknown fields are refused: nothing reaches the engine unread.
import { z } from "zod";

const strings = z.array(z.string());
const stringMap = z.record(z.string(), z.string());

/** The engine's own health check; durations in nanoseconds, as the Engine API has them. */
export const Healthcheck = z.strictObject({
  /** `["CMD", …]`, `["CMD-SHELL", text]` or `["NONE"]`. */
  Test: strings.optional(),
  Interval: z.number().optional(),
  Timeout: z.number().optional(),
  StartPeriod: z.number().optional(),
  StartInterval: z.number().optional(),
  Retries: z.number().int().optional(),
});
export type Healthcheck = z.infer<typeof Healthcheck>;

/** Where one port of a container is published; the key in `PortBindings` is `80/tcp`. */
export const PortBinding = z.strictObject({
  HostIp: z.string().optional(),
  /** "" lets the engine choose; "8000-8010" gives a range to choose from. */
  HostPort: z.string().optional(),
});

/** One mount as the Engine API has it; which options count follows from `Type`. */
export const Mount = z.strictObject({
  Type: z.enum(["bind", "volume", "tmpfs", "npipe", "cluster", "image"]),
  /** A path on the host, or the engine's name of a volume; empty for an anonymous volume. */
  Source: z.string().optional(),
  Target: z.string(),
  ReadOnly: z.boolean().optional(),
  Consistency: z.string().optional(),
  BindOptions: z
    .strictObject({
      Propagation: z.string().optional(),
      CreateMountpoint: z.boolean().optional(),
      NonRecursive: z.boolean().optional(),
    })
    .optional(),
  VolumeOptions: z
    .strictObject({
      NoCopy: z.boolean().optional(),
      Labels: stringMap.optional(),
      Subpath: z.string().optional(),
      DriverConfig: z
        .strictObject({ Name: z.string().optional(), Options: stringMap.optional() })
        .optional(),
    })
    .optional(),
  TmpfsOptions: z
    .strictObject({ SizeBytes: z.number().optional(), Mode: z.number().optional() })
    .optional(),
});
export type Mount = z.infer<typeof Mount>;

const Device = z.strictObject({
  PathOnHost: z.string(),
  PathInContainer: z.string(),
  CgroupPermissions: z.string(),
});
const DeviceRequest = z.strictObject({
  Driver: z.string().optional(),
  Count: z.number().int().optional(),
  DeviceIDs: strings.optional(),
  Capabilities: z.array(strings).optional(),
  Options: stringMap.optional(),
});
const ThrottleDevice = z.strictObject({ Path: z.string(), Rate: z.number() });
const WeightDevice = z.strictObject({ Path: z.string(), Weight: z.number() });

/** Engine `HostConfig`, without what Fairlead sets itself (NetworkMode by `network`, RestartPolicy, links). */
export const HostConfig = z.strictObject({
  Mounts: z.array(Mount).optional(),
  /** Short-syntax binds `source:target[:options]` where Mounts cannot say the same (missing host paths are created). */
  Binds: strings.optional(),
  PortBindings: z.record(z.string(), z.array(PortBinding)).optional(),
  PublishAllPorts: z.boolean().optional(),
  LogConfig: z.strictObject({ Type: z.string(), Config: stringMap.optional() }).optional(),
  Init: z.boolean().optional(),
  Privileged: z.boolean().optional(),
  ReadonlyRootfs: z.boolean().optional(),
  CapAdd: strings.optional(),
  CapDrop: strings.optional(),
  SecurityOpt: strings.optional(),
  GroupAdd: strings.optional(),
  Sysctls: stringMap.optional(),
  Ulimits: z
    .array(z.strictObject({ Name: z.string(), Soft: z.number(), Hard: z.number() }))
    .optional(),
  Tmpfs: stringMap.optional(),
  ShmSize: z.number().optional(),
  Dns: strings.optional(),
  DnsSearch: strings.optional(),
  DnsOptions: strings.optional(),
  ExtraHosts: strings.optional(),
  Devices: z.array(Device).optional(),
  DeviceRequests: z.array(DeviceRequest).optional(),
  DeviceCgroupRules: strings.optional(),
  /** "host" or ""; sharing with a service or container is `namespaces` of the service. */
  PidMode: z.string().optional(),
  IpcMode: z.string().optional(),
  UTSMode: z.string().optional(),
  UsernsMode: z.string().optional(),
  CgroupnsMode: z.string().optional(),
  CgroupParent: z.string().optional(),
  Runtime: z.string().optional(),
  Isolation: z.string().optional(),
  NanoCpus: z.number().optional(),
  CpuShares: z.number().optional(),
  CpuPeriod: z.number().optional(),
  CpuQuota: z.number().optional(),
  CpuRealtimePeriod: z.number().optional(),
  CpuRealtimeRuntime: z.number().optional(),
  CpusetCpus: z.string().optional(),
  CpuCount: z.number().optional(),
  CpuPercent: z.number().optional(),
  Memory: z.number().optional(),
  MemoryReservation: z.number().optional(),
  MemorySwap: z.number().optional(),
  MemorySwappiness: z.number().optional(),
  OomKillDisable: z.boolean().optional(),
  OomScoreAdj: z.number().optional(),
  PidsLimit: z.number().optional(),
  BlkioWeight: z.number().optional(),
  BlkioWeightDevice: z.array(WeightDevice).optional(),
  BlkioDeviceReadBps: z.array(ThrottleDevice).optional(),
  BlkioDeviceReadIOps: z.array(ThrottleDevice).optional(),
  BlkioDeviceWriteBps: z.array(ThrottleDevice).optional(),
  BlkioDeviceWriteIOps: z.array(ThrottleDevice).optional(),
  StorageOpt: stringMap.optional(),
  VolumeDriver: z.string().optional(),
  Annotations: stringMap.optional(),
});
export type HostConfig = z.infer<typeof HostConfig>;

/** Engine create body. Labels are the user's; the node adds its own at create time. */
export const ContainerConfig = z.strictObject({
  Image: z.string(),
  Cmd: strings.optional(),
  Entrypoint: strings.optional(),
  /** `NAME=value`, sorted by name. `NAME` alone removes the variable. */
  Env: strings.optional(),
  Labels: stringMap.optional(),
  WorkingDir: z.string().optional(),
  User: z.string().optional(),
  Hostname: z.string().optional(),
  Domainname: z.string().optional(),
  MacAddress: z.string().optional(),
  Tty: z.boolean().optional(),
  OpenStdin: z.boolean().optional(),
  StopSignal: z.string().optional(),
  /** Seconds. */
  StopTimeout: z.number().int().optional(),
  ExposedPorts: z.record(z.string(), z.strictObject({})).optional(),
  Healthcheck: Healthcheck.optional(),
  HostConfig: HostConfig.optional(),
});
export type ContainerConfig = z.infer<typeof ContainerConfig>;
