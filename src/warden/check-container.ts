// SPDX-License-Identifier: Apache-2.0
// What an agent may say of a container. The same table of fields is for create and for update; what is in none of them may
// not be said, so that a field of a newer engine is refused until somebody has thought about it.
import type { DockerLimits } from "#model/docker-limits.ts";
import { deny } from "./deny.ts";
import {
  flag,
  ignored,
  nameSet,
  nothing,
  oneOf,
  readFields,
  text,
  textMap,
  texts,
  whole,
  type Check,
  type Fields,
} from "./fields.ts";
import { isAllowedImage, parseReference } from "./image-names.ts";
import { makeOwnerLabels, RESERVED_LABEL } from "./owner.ts";
import type { DockerOwner } from "./warden.ts";

const PIDS_MAX = 256;
const STOP_S_MAX = 300;
const NANO = 1_000_000_000;
const INSIDE = /^\/[^\0:]{0,1024}$/;
const PORT = /^\d{1,5}(-\d{1,5})?(\/(tcp|udp|sctp))?$/;

/** A bound: what says nothing, and what the engine takes for "no bound", is left out. */
function bound(max: number, what: string): Check {
  return (value, at) => {
    if (value === null || value === undefined || value === 0 || value === -1) return undefined;
    const fits = typeof value === "number" && Number.isSafeInteger(value) && value > 0;
    if (fits && value <= max) return value;
    return deny(`${at} may be at most ${max} (${what} in fairlead.docker)`);
  };
}

const consoleSize: Check = (value, at) => {
  if (value === null || value === undefined) return undefined;
  const size = whole(0, 10_000);
  return Array.isArray(value) && value.length === 2
    ? value.map((one) => size(one, at))
    : deny(`${at} is no size`);
};

const MOUNT: Fields = {
  Type: oneOf("tmpfs", "volume"),
  Target: text(INSIDE),
  ReadOnly: flag,
  Consistency: oneOf("default", "consistent", "cached", "delegated"),
  TmpfsOptions: (value, at) =>
    readFields(value, { SizeBytes: whole(0, 2 ** 50), Mode: whole(0, 0o7777) }, at),
  VolumeOptions: (value, at) => readFields(value, { NoCopy: flag }, at),
};

const mounts: Check = (value, at) => {
  if (value === null || value === undefined) return undefined;
  if (!Array.isArray(value) || value.length > 20) return deny(`${at} is no list of at most 20`);
  return value.map((one: unknown, index) => {
    const mount = readFields(one, MOUNT, `${at}[${index}]`);
    const { Type: type, TmpfsOptions, VolumeOptions, ...others } = mount;
    if (type === "tmpfs") return { Type: type, ...others, TmpfsOptions };
    return type === "volume" ? { Type: type, ...others, VolumeOptions } : deny(`${at} has no Type`);
  });
};

const labels: Check = (value, at) => {
  const read = textMap(/^[^\0]{1,256}$/, /^[^\0]{0,4096}$/s, 50)(value, at);
  for (const name of Object.keys(read ?? {}))
    if (RESERVED_LABEL.test(name)) deny(`${at}.${name.slice(0, 60)} is Fairlead's to set`);
  return read;
};

function networkMode({ network }: DockerLimits): Check {
  const known = new Set(["default", "none", network]);
  return (value, at) => {
    if (value === null || value === undefined || value === "") return undefined;
    if (typeof value !== "string" || !known.has(value))
      return deny(`${at} may only be ${network} (network in fairlead.docker)`);
    return value === "default" ? undefined : value;
  };
}

/** The bounds that create and update share. */
function boundFields({ memoryBytes, cpus }: DockerLimits): Fields {
  return {
    Memory: bound(memoryBytes, "memory"),
    MemorySwap: bound(2 ** 50, "memory"),
    MemoryReservation: bound(memoryBytes, "memory"),
    NanoCpus: bound(Math.round(cpus * NANO), "cpus"),
    CpuShares: bound(1_024, "cpus"),
    PidsLimit: bound(PIDS_MAX, "a bound of processes that is not"),
    MemorySwappiness: nothing,
    RestartPolicy: (value, at) =>
      void readFields(value, { Name: oneOf("no"), MaximumRetryCount: nothing }, at),
  };
}

function hostFields(limits: DockerLimits): Fields {
  return {
    ...boundFields(limits),
    AutoRemove: flag,
    CapDrop: texts(50, /^[A-Za-z_]{1,40}$/),
    CgroupnsMode: oneOf("private"),
    ConsoleSize: consoleSize,
    Init: flag,
    IpcMode: oneOf("private", "none"),
    Isolation: oneOf("default"),
    Mounts: mounts,
    NetworkMode: networkMode(limits),
    ReadonlyRootfs: flag,
    SecurityOpt: texts(1, /^no-new-privileges([:=]true)?$/),
    ShmSize: bound(limits.memoryBytes, "memory"),
    Tmpfs: textMap(INSIDE, /^[a-z0-9=,%]{0,200}$/),
  };
}

const HEALTHCHECK: Fields = {
  Test: texts(200),
  Interval: whole(0, 86_400 * NANO),
  Timeout: whole(0, 86_400 * NANO),
  StartPeriod: whole(0, 86_400 * NANO),
  StartInterval: whole(0, 86_400 * NANO),
  Retries: whole(0, 1_000),
};

const CONFIG: Fields = {
  ArgsEscaped: nothing,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  Cmd: texts(1_000),
  Domainname: text(/^[a-zA-Z0-9.-]{1,253}$/),
  Entrypoint: texts(1_000),
  Env: texts(1_000),
  ExposedPorts: nameSet(PORT),
  Healthcheck: (value, at) =>
    value === null || value === undefined ? undefined : readFields(value, HEALTHCHECK, at),
  Hostname: text(/^[a-zA-Z0-9.-]{1,63}$/),
  Image: text(/^[^\0]{1,255}$/),
  Labels: labels,
  NetworkDisabled: flag,
  OpenStdin: flag,
  Shell: texts(20),
  StdinOnce: flag,
  StopSignal: text(/^[A-Za-z0-9+-]{1,16}$/),
  StopTimeout: whole(0, STOP_S_MAX),
  Tty: flag,
  User: text(/^[\w.:-]{1,64}$/),
  Volumes: nameSet(INSIDE, 20),
  WorkingDir: text(/^[^\0]{1,4096}$/),
};

function networkingConfig({ network }: DockerLimits): Check {
  const endpoints: Fields = { default: nothing, none: nothing, [network]: nothing };
  const endpointsConfig: Check = (value, at) => void readFields(value, endpoints, at);
  return (value, at) => void readFields(value, { EndpointsConfig: endpointsConfig }, at);
}

function allowImage(asked: unknown, { images }: DockerLimits): string {
  const reference = typeof asked === "string" ? parseReference(asked) : undefined;
  if (reference === undefined || !isAllowedImage(reference.text, images))
    return deny(`the image may only be ${images.join(", ")} (images in fairlead.docker), by name`);
  return reference.text;
}

/** A body of `POST /containers/create` as it is sent: checked, with the bounds and the labels. Throws FL1901. */
export function checkCreate(
  body: Readonly<Record<string, unknown>>,
  owner: DockerOwner,
  limits: DockerLimits,
): Record<string, unknown> {
  const host: Check = (value, at) => readFields(value, hostFields(limits), at);
  // `name` is dockerode's, which says it in the query too.
  const fields = {
    ...CONFIG,
    name: ignored,
    HostConfig: host,
    NetworkingConfig: networkingConfig(limits),
  };
  const config = readFields(body, fields, "");
  const asked = (config["HostConfig"] ?? {}) as Readonly<Record<string, unknown>>;
  const memory = asked["Memory"] ?? limits.memoryBytes;
  return {
    ...config,
    Image: allowImage(config["Image"], limits),
    Labels: { ...(config["Labels"] as object | undefined), ...makeOwnerLabels(owner, limits) },
    HostConfig: {
      NetworkMode: limits.network,
      NanoCpus: Math.round(limits.cpus * NANO),
      PidsLimit: PIDS_MAX,
      ...asked,
      Memory: memory,
      MemorySwap: memory,
      RestartPolicy: { Name: "no" },
      SecurityOpt: ["no-new-privileges:true"],
    },
  };
}

/** A body of `POST /containers/{id}/update`. Throws FL1901. */
export function checkUpdate(
  body: Readonly<Record<string, unknown>>,
  limits: DockerLimits,
): Record<string, unknown> {
  const { MemorySwap: _swap, ...update } = readFields(body, boundFields(limits), "");
  const memory = update["Memory"];
  return memory === undefined ? update : { ...update, MemorySwap: memory };
}

/** A body of `POST /containers/{id}/exec`. Throws FL1901. */
export function checkExec(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const fields = {
    AttachStdin: flag,
    AttachStdout: flag,
    AttachStderr: flag,
    Cmd: texts(1_000),
    ConsoleSize: consoleSize,
    DetachKeys: text(/^[a-z0-9@,[\]^\\_-]{1,40}$/i),
    Env: texts(1_000),
    Tty: flag,
    User: text(/^[\w.:-]{1,64}$/),
    WorkingDir: text(/^[^\0]{1,4096}$/),
  };
  return readFields(body, fields, "");
}

/** A body of `POST /exec/{id}/start`. Throws FL1901. */
export function checkExecStart(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const own = { hijack: ignored, stdin: ignored };
  return readFields(body, { Detach: flag, Tty: flag, ConsoleSize: consoleSize, ...own }, "");
}
