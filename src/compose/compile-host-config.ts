// SPDX-License-Identifier: Apache-2.0
// The host side of a container: rights, limits, devices, ports. Values that are the engine's defaults are left out, so
// that writing them changes nothing.
import type { HostConfig } from "#model/intent.ts";
import type { CompiledMounts } from "./compile-mounts.ts";
import { dropEmpty } from "./drop-empty.ts";
import { readDuration } from "./fairlead-words.ts";
import type { ServiceModel } from "./project.ts";

/** HostConfig of one service. */
export function compileHostConfig(service: ServiceModel, mounted: CompiledMounts): HostConfig {
  return dropEmpty({
    ...compileRights(service),
    ...compileLimits(service),
    ...compileDisks(service),
    ...compileNames(service),
    Mounts: [...mounted.mounts],
    Binds: [...mounted.binds],
    PortBindings: compilePorts(service),
    LogConfig: compileLogging(service),
    Tmpfs: compileTmpfs(service),
    Devices: compileDevices(service),
    DeviceRequests: compileDeviceRequests(service),
    DeviceCgroupRules: [...(service.device_cgroup_rules ?? [])],
  });
}

function sorted(values: readonly string[] | undefined): string[] {
  return [...(values ?? [])].sort();
}

/** Texts by name; an empty value is an empty text. */
export function toTexts(
  values: Readonly<Record<string, string | null>> | undefined,
): Record<string, string> {
  return Object.fromEntries(Object.entries(values ?? {}).map(([name, v]) => [name, v ?? ""]));
}

function yes(value: boolean | undefined): true | undefined {
  return value === true ? true : undefined;
}

function compileRights(service: ServiceModel): HostConfig {
  const shared = /^(?:service|container):/;
  const { pid, ipc } = service;
  return dropEmpty({
    Init: service.init,
    Privileged: yes(service.privileged),
    ReadonlyRootfs: yes(service.read_only),
    CapAdd: sorted(service.cap_add),
    CapDrop: sorted(service.cap_drop),
    SecurityOpt: (service.security_opt ?? []).map((option) => option.replace(/^([a-z-]+):/, "$1=")),
    GroupAdd: sorted(service.group_add),
    Sysctls: toTexts(service.sysctls),
    PidMode: pid === undefined || pid === null || shared.test(pid) ? undefined : pid,
    IpcMode: ipc === undefined || shared.test(ipc) ? undefined : ipc,
    UTSMode: service.uts,
    UsernsMode: service.userns_mode,
    CgroupnsMode: service.cgroup,
    CgroupParent: service.cgroup_parent,
    Runtime: service.runtime,
    Isolation: service.isolation,
    StorageOpt: { ...service.storage_opt },
    Annotations: toTexts(service.annotations),
  });
}

function bytes(size: string | undefined): number | undefined {
  return size === undefined ? undefined : Number(size);
}

function nonZero(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}

/** Microseconds from a number or a duration. */
function micros(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return nonZero(/^\d+$/.test(text) ? Number(text) : Math.round((readDuration(text) ?? 0) * 1_000));
}

function compileLimits(service: ServiceModel): HostConfig {
  const limits = service.deploy?.resources?.limits;
  const cpus = limits?.cpus ?? service.cpus;
  const reserved = service.deploy?.resources?.reservations?.memory ?? service.mem_reservation;
  return dropEmpty({
    NanoCpus: nonZero(cpus === undefined ? undefined : Math.round(cpus * 1e9)),
    CpuShares: nonZero(service.cpu_shares),
    CpuPeriod: micros(service.cpu_period),
    CpuQuota: nonZero(service.cpu_quota),
    CpuRealtimePeriod: micros(service.cpu_rt_period),
    CpuRealtimeRuntime: micros(service.cpu_rt_runtime),
    CpusetCpus: service.cpuset === "" ? undefined : service.cpuset,
    CpuCount: nonZero(service.cpu_count),
    CpuPercent: nonZero(service.cpu_percent),
    Memory: nonZero(bytes(limits?.memory ?? service.mem_limit)),
    MemoryReservation: nonZero(bytes(reserved)),
    MemorySwap: nonZero(bytes(service.memswap_limit)),
    MemorySwappiness: service.mem_swappiness === -1 ? undefined : service.mem_swappiness,
    OomKillDisable: yes(service.oom_kill_disable),
    OomScoreAdj: nonZero(service.oom_score_adj),
    PidsLimit: nonZero(limits?.pids ?? service.pids_limit),
    ShmSize: nonZero(bytes(service.shm_size)),
    Ulimits: Object.entries(service.ulimits ?? {})
      .map(([Name, { soft, hard }]) => ({ Name, Soft: soft, Hard: hard }))
      .sort((a, b) => (a.Name < b.Name ? -1 : 1)),
  });
}

function compileDisks(service: ServiceModel): HostConfig {
  const disks = service.blkio_config;
  if (disks === undefined) return {};
  const rates = (limits: typeof disks.device_read_bps): { Path: string; Rate: number }[] =>
    (limits ?? []).map(({ path = "", rate = "0" }) => ({ Path: path, Rate: Number(rate) }));
  return dropEmpty({
    BlkioWeight: nonZero(disks.weight),
    BlkioWeightDevice: (disks.weight_device ?? []).map(({ path = "", weight = 0 }) => ({
      Path: path,
      Weight: weight,
    })),
    BlkioDeviceReadBps: rates(disks.device_read_bps),
    BlkioDeviceReadIOps: rates(disks.device_read_iops),
    BlkioDeviceWriteBps: rates(disks.device_write_bps),
    BlkioDeviceWriteIOps: rates(disks.device_write_iops),
  });
}

function compileNames(service: ServiceModel): HostConfig {
  const hosts = Object.entries(service.extra_hosts ?? {});
  return dropEmpty({
    Dns: [...(service.dns ?? [])],
    DnsSearch: [...(service.dns_search ?? [])],
    DnsOptions: [...(service.dns_opt ?? [])],
    ExtraHosts: hosts
      .flatMap(([name, addresses]) => addresses.map((address) => `${name}:${address}`))
      .sort(),
  });
}

function compilePorts(service: ServiceModel): HostConfig["PortBindings"] {
  const bindings: Record<string, { HostIp?: string; HostPort?: string }[]> = {};
  if (service.network_mode === "host") return undefined;
  for (const port of service.ports ?? []) {
    const key = `${port.target ?? ""}/${port.protocol ?? "tcp"}`;
    const binding = {
      ...(port.host_ip === undefined ? {} : { HostIp: port.host_ip }),
      HostPort: port.published === undefined || port.published === "0" ? "" : port.published,
    };
    (bindings[key] ??= []).push(binding);
  }
  return bindings;
}

function compileLogging(service: ServiceModel): HostConfig["LogConfig"] {
  const { logging } = service;
  if (logging === undefined) return undefined;
  const config = toTexts(logging.options);
  if (logging.driver === undefined && Object.keys(config).length === 0) return undefined;
  return {
    Type: logging.driver ?? "",
    ...(Object.keys(config).length === 0 ? {} : { Config: config }),
  };
}

function compileTmpfs(service: ServiceModel): Record<string, string> {
  return Object.fromEntries(
    (service.tmpfs ?? []).map((entry) => {
      const split = entry.indexOf(":");
      return split < 0 ? [entry, ""] : [entry.slice(0, split), entry.slice(split + 1)];
    }),
  );
}

/** `vendor.com/class=name` is a device of the Container Device Interface, not a path. */
function isCdi(source: string): boolean {
  return source.includes("=") && !source.startsWith("/");
}

function compileDevices(service: ServiceModel): HostConfig["Devices"] {
  return (service.devices ?? [])
    .filter((device) => !isCdi(device.source))
    .map(({ source, target = source, permissions = "rwm" }) => ({
      PathOnHost: source,
      PathInContainer: target,
      CgroupPermissions: permissions,
    }));
}

function compileDeviceRequests(service: ServiceModel): HostConfig["DeviceRequests"] {
  const cdi = (service.devices ?? []).filter((device) => isCdi(device.source));
  const reserved = service.deploy?.resources?.reservations?.devices ?? [];
  const requests = [
    ...reserved,
    ...(service.gpus ?? []).map((gpu) => ({ ...gpu, capabilities: gpu.capabilities ?? ["gpu"] })),
  ].map((request) =>
    dropEmpty({
      Driver: request.driver,
      Count: request.device_ids === undefined ? (request.count ?? -1) : undefined,
      DeviceIDs: [...(request.device_ids ?? [])],
      Capabilities: [[...request.capabilities]],
      Options: toTexts(request.options),
    }),
  );
  if (cdi.length === 0) return requests;
  return [...requests, { Driver: "cdi", DeviceIDs: cdi.map((device) => device.source) }];
}
