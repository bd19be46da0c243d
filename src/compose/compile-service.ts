// SPDX-License-Identifier: Apache-2.0
import { HEAL_DEFAULT } from "@fairlead/protocol/heal-default.ts";
import { hashValue } from "#base/canonical-json.ts";
import type {
  BuildIntent,
  Dependency,
  HealIntent,
  RestartIntent,
  ServiceIntent,
  SourceRef,
  UpdateIntent,
} from "#model/intent.ts";
import { compileContainer } from "./compile-container.ts";
import { toTexts } from "./compile-host-config.ts";
import { compileMounts } from "./compile-mounts.ts";
import { compileNetworkMode, readShared } from "./compile-network.ts";
import { compilePlacement } from "./compile-placement.ts";
import { dropEmpty } from "./drop-empty.ts";
import { LABEL_PREFIX, readAddressWord, readDuration, readHeal } from "./fairlead-words.ts";
import type { LoadResult, ServiceModel } from "./project.ts";

/** Compose's own: time between the stop signal and the kill. */
const STOP_GRACE_DEFAULT_MS = 10_000;
/** Swarm's own: how long a new instance has to stay up when nothing is written. */
const MONITOR_DEFAULT_MS = 5_000;

/** One service of the project as intent. `loaded` has been checked: what it names is there. */
export function compileService(
  loaded: LoadResult,
  name: string,
  service: ServiceModel,
): ServiceIntent {
  const mounted = compileMounts(service, loaded);
  const image = service.image ?? `${loaded.project.name}-${name}`;
  const container = compileContainer(service, image, mounted);
  const find = (...path: string[]): SourceRef | undefined =>
    loaded.origins.find(["services", name, ...path]);
  const pid = readShared(service.pid);
  const ipc = readShared(service.ipc);
  const ttlMs = readTtl(service);
  const build = compileBuild(service);
  const intent = {
    name,
    replicas: countReplicas(service),
    container,
    ...(service.platform === undefined ? {} : { platform: service.platform }),
    network: compileNetworkMode(service),
    ...(pid === undefined ? {} : { pid }),
    ...(ipc === undefined ? {} : { ipc }),
    volumesFrom: compileVolumesFrom(service),
    volumes: [...mounted.volumes],
    files: [...mounted.files],
    ...(service.container_name === undefined ? {} : { fixedName: service.container_name }),
    dependsOn: compileDependencies(service),
    restart: compileRestart(service, find),
    heal: compileHeal(service, find),
    update: compileUpdate(service, find),
    stopGraceMs: readMs(service.stop_grace_period) ?? STOP_GRACE_DEFAULT_MS,
    pull: compilePull(service),
    ...(build === undefined ? {} : { build }),
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...readFailover(service),
    ...readAddress(service),
    ...(service.labels?.[`${LABEL_PREFIX}singleton`] === "true" ? { singleton: true } : {}),
    constraints: [...(service.deploy?.placement?.constraints ?? [])],
    placement: compilePlacement(service),
    at: find() ?? { file: loaded.files[0] ?? loaded.projectDirectory },
    origins: listOrigins(service, find),
  };
  return { ...intent, hash: hashService(intent) };
}

/** Nothing for the usual: it moves once its node is gone. */
function readFailover(service: ServiceModel): Pick<ServiceIntent, "failover"> {
  const value = service.labels?.[`${LABEL_PREFIX}failover`];
  return value === "eager" || value === "stay" ? { failover: value } : {};
}

function readAddress(service: ServiceModel): Pick<ServiceIntent, "address"> {
  const address = readAddressWord(service.labels?.[`${LABEL_PREFIX}address`] ?? "");
  return address === undefined || address === false ? {} : { address };
}

function readMs(text: string | undefined): number | undefined {
  return text === undefined ? undefined : readDuration(text);
}

/** Words whose change acts on running instances without making them anew. */
const LIVE_LABELS = new Set(
  ["heal", "scale", "ttl", "place", "failover", "singleton", "address"].map(
    (word) => LABEL_PREFIX + word,
  ),
);

function hashService(intent: Omit<ServiceIntent, "hash">): string {
  const { container, platform, network, pid, ipc, volumesFrom, files, fixedName, stopGraceMs } =
    intent;
  const kept = Object.entries(container.Labels ?? {}).filter(([label]) => !LIVE_LABELS.has(label));
  const { Labels: _, ...rest } = container;
  const body = kept.length === 0 ? rest : { ...rest, Labels: Object.fromEntries(kept) };
  return hashValue({
    container: body,
    platform,
    network,
    pid,
    ipc,
    volumesFrom,
    files,
    fixedName,
    stopGraceMs,
  });
}

function countReplicas(service: ServiceModel): number {
  if (service.deploy?.mode === "global") return 1;
  const written = service.deploy?.replicas ?? service.scale;
  if (written !== undefined) return written;
  const [, least] = /^\s*(\d{1,5})/.exec(service.labels?.["fairlead.scale"] ?? "") ?? [];
  return least === undefined ? 1 : Math.min(10_000, Number(least));
}

function compileVolumesFrom(service: ServiceModel): ServiceIntent["volumesFrom"] {
  return (service.volumes_from ?? []).map((text) => {
    const readOnly = text.endsWith(":ro");
    const bare = text.replace(/:(?:ro|rw)$/, "");
    return { from: readShared(bare) ?? { kind: "service", service: bare }, readOnly };
  });
}

const CONDITIONS = {
  service_started: "started",
  service_healthy: "healthy",
  service_completed_successfully: "completed",
} as const;

function compileDependencies(service: ServiceModel): Dependency[] {
  return Object.entries(service.depends_on ?? {})
    .map(([name, { condition, restart, required }]) => ({
      service: name,
      condition: CONDITIONS[condition],
      restart: restart ?? false,
      required: required ?? true,
    }))
    .sort((a, b) => (a.service < b.service ? -1 : 1));
}

type Find = (...path: string[]) => SourceRef | undefined;

const RESTART_CONDITIONS = { none: "no", "on-failure": "on-failure", any: "always" } as const;

function compileRestart(service: ServiceModel, find: Find): RestartIntent {
  const policy = service.deploy?.restart_policy;
  if (policy !== undefined) {
    const condition =
      policy.condition === "none" || policy.condition === "on-failure" ? policy.condition : "any";
    return dropEmpty({
      policy: RESTART_CONDITIONS[condition],
      attemptsMax: policy.max_attempts === 0 ? undefined : policy.max_attempts,
      delayMs: readMs(policy.delay),
      windowMs: readMs(policy.window),
      at: find("deploy", "restart_policy"),
    });
  }
  const [word, attempts] = (service.restart ?? "").split(":");
  const at = find("restart");
  const place = at === undefined ? {} : { at };
  switch (word) {
    case "no":
    case "always":
    case "unless-stopped":
      return { policy: word, ...place };
    case "on-failure":
      return {
        policy: word,
        ...(attempts === undefined ? {} : { attemptsMax: Number(attempts) }),
        ...place,
      };
    default:
      return { policy: "default" };
  }
}

function compileHeal(service: ServiceModel, find: Find): HealIntent {
  const label = `${LABEL_PREFIX}heal`;
  const word = readHeal(service.labels?.[label] ?? "");
  if (word === undefined) return { ...HEAL_DEFAULT };
  const at = find("labels", label);
  return { ...HEAL_DEFAULT, ...word, ...(at === undefined ? {} : { at }) };
}

function compileUpdate(service: ServiceModel, find: Find): UpdateIntent {
  const update = service.deploy?.update_config;
  const action = update?.failure_action;
  const at = find("deploy", "update_config");
  return {
    order: update?.order ?? "auto",
    parallelism: update?.parallelism ?? 1,
    delayMs: readMs(update?.delay) ?? 0,
    monitorMs: readMs(update?.monitor) ?? MONITOR_DEFAULT_MS,
    onFailure: action === "continue" || action === "rollback" ? action : "pause",
    ...(at === undefined ? {} : { at }),
  };
}

function compilePull(service: ServiceModel): ServiceIntent["pull"] {
  const policy = service.pull_policy;
  return policy === "always" || policy === "never" || policy === "build" ? policy : "missing";
}

function readTtl(service: ServiceModel): number | undefined {
  const ttl = service.labels?.[`${LABEL_PREFIX}ttl`];
  const ttlMs = ttl === undefined || ttl === null ? undefined : readDuration(ttl);
  return ttlMs !== undefined && ttlMs > 0 ? ttlMs : undefined;
}

function compileBuild(service: ServiceModel): BuildIntent | undefined {
  const { build } = service;
  if (build === undefined) return undefined;
  const hosts = Object.entries(build.extra_hosts ?? {});
  const args = Object.entries(build.args ?? {}).flatMap(([name, value]) =>
    value === null ? [] : [[name, value] as const],
  );
  return {
    ...dropEmpty({
      dockerfileInline: build.dockerfile_inline,
      target: build.target,
      network: build.network,
      platform: build.platforms?.[0] ?? service.platform,
      shmSizeBytes: build.shm_size === undefined ? undefined : Number(build.shm_size),
    }),
    context: build.context ?? ".",
    dockerfile: build.dockerfile ?? "Dockerfile",
    args: Object.fromEntries(args),
    labels: toTexts(build.labels),
    cacheFrom: [...(build.cache_from ?? [])],
    extraHosts: hosts.flatMap(([host, list]) => list.map((address) => `${host}:${address}`)).sort(),
    noCache: build.no_cache ?? false,
    pull: build.pull ?? false,
    tags: [...(build.tags ?? [])],
  };
}

/** Places of the parts that decisions name. */
function listOrigins(service: ServiceModel, find: Find): Record<string, SourceRef> {
  const origins: Record<string, SourceRef> = {};
  const note = (key: string, at: SourceRef | undefined): void => {
    if (at !== undefined) origins[key] = { ...at };
  };
  for (const key of Object.keys(service)) note(key, find(key));
  for (const label of Object.keys(service.labels ?? {})) {
    if (label.startsWith(LABEL_PREFIX)) note(`labels.${label}`, find("labels", label));
  }
  for (const key of Object.keys(service.deploy ?? {})) note(`deploy.${key}`, find("deploy", key));
  note(
    "replicas",
    find("deploy", "replicas") ?? find("scale") ?? find("labels", `${LABEL_PREFIX}scale`),
  );
  note("restart", find("deploy", "restart_policy") ?? find("restart"));
  note("update", find("deploy", "update_config"));
  return origins;
}
