// SPDX-License-Identifier: Apache-2.0
// Every key of a service that the Compose Specification knows: what it takes, what it does, and whether Fairlead does it.
import {
  flag,
  type Infer,
  key,
  listOf,
  number,
  object,
  orNull,
  recordOf,
  text,
  unsupported,
  word,
} from "#compose/shape.ts";
import { map, scalar, textOf, type Tree } from "#compose/tree.ts";
import { build, hooks } from "./build.ts";
import { deploy, gpus } from "./deploy.ts";
import {
  command,
  driverOptions,
  duration,
  hosts,
  looseWords,
  mac,
  mountedFiles,
  oneOrMore,
  path,
  pathOrPaths,
  settings,
  size,
  ulimits,
  wholeSize,
  words,
} from "./forms.ts";
import { volumes } from "./mounts.ts";
import { ports } from "./ports.ts";
import { develop, MODELS_UNSUPPORTED } from "./resources.ts";
import {
  blkio,
  dependsOn,
  devices,
  envFiles,
  healthcheck,
  logging,
  serviceModels,
  serviceNetworks,
} from "./service-lists.ts";

const WINDOWS = "it is for Windows containers";
const HOOKS = "run it as a service that others wait for with service_completed_successfully";

function expandExtends(node: Tree): Tree {
  return node.kind === "scalar" && typeof node.value === "string"
    ? map({ service: node }, node.at)
    : node;
}

/** `service:alias` and the bare service are one link. */
const links = {
  ...words,
  keyOf: (item: Tree) => (textOf(item) ?? "").split(/[:=]/)[0] ?? "",
};

const RESTART = /^(?:no|always|unless-stopped|on-failure(?::\d+)?)$/;
const PULL =
  /^(?:always|never|build|if_not_present|missing|refresh|daily|weekly|every_(?:\d+[wdhms])+)$/;

function pickRestart(node: Tree): Tree {
  // YAML 1.1 readers take an unquoted `no` as false; people write it so.
  return node.kind === "scalar" && node.value === false ? scalar("no", node.at) : node;
}

const exposed = listOf(
  text({
    loose: "numbers",
    check: (t) => /^\d{1,5}(?:-\d{1,5})?(?:\/(?:tcp|udp|sctp))?$/.test(t),
    form: "a port or a range of ports, and /tcp, /udp or /sctp",
  }),
  { keyOf: (item) => textOf(item) ?? "" },
);

const whole = number({ integer: true });

const runKeys = {
  image: key(
    text({ check: (t) => t.trim() !== "", form: "the name of an image" }),
    "Image to run.",
  ),
  build: key(build, "How to make the image."),
  command: key(command, "Replaces the command of the image."),
  entrypoint: key(command, "Replaces the entrypoint of the image."),
  environment: key(
    settings,
    "Variables of the container; an empty value comes from the environment.",
  ),
  env_file: key(envFiles, "Files of variables; `environment` wins."),
  labels: key(settings, "Labels of the container."),
  label_file: key(pathOrPaths, "Files of labels; `labels` wins."),
  annotations: key(settings, "Annotations for the runtime; engine 25 and newer."),
  working_dir: key(text(), "Directory that the command starts in."),
  user: key(text(), "User, `user[:group]`."),
  group_add: key(looseWords, "Further groups."),
  hostname: key(text(), "Host name in the container."),
  domainname: key(text(), "Domain name in the container."),
  container_name: key(
    text({
      check: (t) => /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(t),
      form: "a name of letters, digits, . _ -",
    }),
    "A fixed name; allows one instance only.",
  ),
  tty: key(flag(), "With a terminal."),
  stdin_open: key(flag(), "Standard input stays open."),
  init: key(flag(), "An init process that reaps children and passes signals on."),
  stop_signal: key(text(), "Signal that asks it to stop."),
  stop_grace_period: key(duration, "Time between that signal and the kill; default 10s."),
  restart: key(
    text({
      expand: pickRestart,
      check: (t) => RESTART.test(t),
      form: "no, always, unless-stopped or on-failure[:N]",
    }),
    "What to do when it has exited.",
  ),
  pull_policy: key(
    text({
      check: (t) => PULL.test(t),
      form: "always, never, missing, build, daily, weekly or every_…",
    }),
    "When to fetch the image: always is at each `up`, never at healing; daily, weekly, refresh and every_… act as missing.",
  ),
  platform: key(text(), "Platform of the image, for example linux/arm64."),
  runtime: key(text(), "OCI runtime."),
  scale: key(
    number({ integer: true, min: 0, max: 10_000 }),
    "Instances; `deploy.replicas` says the same.",
  ),
  profiles: key(words, "Profiles in which it runs; none means always."),
  extends: key(
    object(
      {
        service: key(text(), "Service to start from."),
        file: key(path, "File that has it; default this one."),
      },
      {
        required: ["service"],
        extensible: false,
        expand: expandExtends,
        words: "a service or a mapping",
      },
    ),
    "Takes over another service and changes it.",
  ),
  depends_on: key(dependsOn, "Services that have to be there first."),
  healthcheck: key(healthcheck, "How the engine sees that it works."),
  deploy: key(deploy, "How many, with what, and how a change is rolled out."),
  logging: key(logging, "Where its output goes."),
};

const joinKeys = {
  ports: key(ports, "Ports published on the host."),
  expose: key(exposed, "Ports that others may call."),
  networks: key(serviceNetworks, "Networks it joins; default the network `default`."),
  network_mode: key(
    text({
      check: (t) => !/^(?:service|container):$/.test(t),
      form: "bridge, host, none, service:NAME or container:NAME",
    }),
    "`bridge`, `host`, `none`, `service:NAME`, `container:NAME`, or a network of the engine.",
  ),
  mac_address: key(mac, "MAC address."),
  dns: key(oneOrMore, "DNS servers."),
  dns_opt: key(words, "Options of the resolver."),
  dns_search: key(oneOrMore, "Search domains."),
  extra_hosts: key(hosts, "Further names and their addresses."),
  links: key(
    links,
    "Old form of `depends_on`; the alias has no effect, use `networks.NETWORK.aliases`.",
  ),
  volumes: key(volumes, "Mounts."),
  volumes_from: key(words, "Takes over all mounts of a service or `container:NAME`."),
  tmpfs: key(oneOrMore, "Directories in memory."),
  configs: key(mountedFiles("/"), "Configs written into the container."),
  secrets: key(mountedFiles("/run/secrets/"), "Secrets written into the container."),
  devices: key(devices, "Devices of the host."),
  device_cgroup_rules: key(words, "Rules of the devices cgroup."),
  gpus: key(gpus, "GPUs."),
};

const limitKeys = {
  cap_add: key(words, "Capabilities added."),
  cap_drop: key(words, "Capabilities taken away."),
  privileged: key(flag(), "With all rights on the host."),
  read_only: key(
    flag(),
    "The root file system cannot be written; configs and secrets have to come from files then.",
  ),
  security_opt: key(words, "Security options."),
  sysctls: key(settings, "Kernel parameters of its namespaces."),
  ulimits: key(ulimits, "Limits of its processes."),
  pid: key(orNull(text()), "`host`, `service:NAME` or `container:NAME`."),
  ipc: key(text(), "`host`, `shareable`, `private`, `none`, `service:NAME` or `container:NAME`."),
  uts: key(text(), "`host`."),
  userns_mode: key(text(), "`host`."),
  cgroup: key(word(["host", "private"]), "Cgroup namespace."),
  cgroup_parent: key(text(), "Parent of its cgroup."),
  isolation: key(text(), "Isolation technology; passed on."),
  shm_size: key(size, "Size of /dev/shm."),
  cpus: key(number({ min: 0 }), "Cores at most."),
  cpu_count: key(number({ integer: true, min: 0 }), "Processors; for Windows, passed on."),
  cpu_percent: key(
    number({ integer: true, min: 0, max: 100 }),
    "Percent of the processors; for Windows, passed on.",
  ),
  cpu_shares: key(whole, "Weight among containers."),
  cpu_period: key(
    text({ loose: "numbers", check: isPeriod, form: "microseconds or a duration" }),
    "Period of the CPU quota.",
  ),
  cpu_quota: key(whole, "Microseconds of CPU in a period."),
  cpu_rt_period: key(
    text({ loose: "numbers", check: isPeriod, form: "microseconds or a duration" }),
    "Period for real-time tasks.",
  ),
  cpu_rt_runtime: key(
    text({ loose: "numbers", check: isPeriod, form: "microseconds or a duration" }),
    "CPU time of real-time tasks.",
  ),
  cpuset: key(text(), "Cores it may use, for example 0-2,4."),
  mem_limit: key(size, "Memory at most."),
  mem_reservation: key(
    wholeSize,
    "Memory that it is pressed down to when the host is short of it.",
  ),
  mem_swappiness: key(
    number({ integer: true, min: -1, max: 100 }),
    "How readily it is swapped, 0 to 100.",
  ),
  memswap_limit: key(size, "Memory and swap at most; -1 is unlimited."),
  oom_kill_disable: key(flag(), "Not killed when memory is out."),
  oom_score_adj: key(
    number({ integer: true, min: -1_000, max: 1_000 }),
    "Rather kept (-1000) or rather killed (1000).",
  ),
  pids_limit: key(number({ integer: true, min: -1 }), "Processes at most; -1 is unlimited."),
  blkio_config: key(blkio, "Shares and limits of disks."),
  storage_opt: key(driverOptions, "Options of the storage driver."),
};

function isPeriod(written: string): boolean {
  return /^\d+$/.test(written) || duration.check?.(written) === true;
}

const unsupportedKeys = {
  attach: unsupported(
    flag(),
    "Show its output in the foreground.",
    "`fairlead logs -f SERVICE` shows what you ask for",
  ),
  credential_spec: unsupported(
    object({
      config: key(text(), "Config."),
      file: key(text(), "File."),
      registry: key(text(), "Registry."),
    }),
    "Credentials of a managed account.",
    WINDOWS,
  ),
  develop: unsupported(
    develop,
    "What to do when sources change.",
    "Fairlead does not watch sources",
  ),
  external_links: unsupported(
    words,
    "Links to containers elsewhere.",
    "join a common external network instead",
  ),
  models: unsupported(serviceModels, "AI models it uses.", MODELS_UNSUPPORTED),
  post_start: unsupported(hooks, "Commands run after the start.", HOOKS),
  pre_stop: unsupported(
    hooks,
    "Commands run before the stop.",
    "let the command handle stop_signal itself",
  ),
  provider: unsupported(
    object(
      { type: key(text(), "Provider."), options: key(recordOf({ kind: "any" }), "Options.") },
      { required: ["type"] },
    ),
    "A program that stands for the service.",
    "Fairlead runs containers only, and no programs named by a file",
  ),
  pull_refresh_after: unsupported(
    text(),
    "When to fetch the image again.",
    "use pull_policy always",
  ),
  use_api_socket: unsupported(
    flag({ strict: true }),
    "The engine's socket in the container.",
    "the socket is root on the host; mount it if you mean it",
  ),
};

/** One service. */
export const service = object({ ...runKeys, ...joinKeys, ...limitKeys, ...unsupportedKeys });

/** A service after loading; keys as in the Compose Specification, long forms only. */
export type ServiceModel = Infer<typeof service>;
