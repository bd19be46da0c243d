// SPDX-License-Identifier: Apache-2.0
// The words of a story's command: `service web replicas=2 depends=db:healthy checked`.
import { parseDuration } from "#base/duration.ts";
import type { Dependency, ServiceIntent } from "#model/intent.ts";
import { buildDependency, buildService, HEALTHCHECK } from "./builders.ts";

export interface Words {
  /** Those before and between, in order. */
  readonly plain: readonly string[];
  /** `key=value`. */
  readonly named: ReadonlyMap<string, string>;
  /** Words of the story's language that stand alone. */
  readonly flags: ReadonlySet<string>;
}

const FLAGS = new Set([
  "checked",
  "found",
  "oneoff",
  "oom",
  "volumes",
  "volume",
  "anonymous",
  "unfinished",
]);

/** Reads one command line. */
export function readWords(line: string): Words {
  const plain: string[] = [];
  const named = new Map<string, string>();
  const flags = new Set<string>();
  for (const word of line.trim().split(/\s+/)) {
    const at = word.indexOf("=");
    if (at > 0) named.set(word.slice(0, at), word.slice(at + 1));
    else if (FLAGS.has(word)) flags.add(word);
    else plain.push(word);
  }
  return { plain, named, flags };
}

/** `db:healthy:restart:optional`. */
function readDependency(text: string): Dependency {
  const [service = "", condition = "started", ...more] = text.split(":");
  return buildDependency(service, {
    condition: condition as Dependency["condition"],
    restart: more.includes("restart"),
    required: !more.includes("optional"),
  });
}

function readHeal(text: string | undefined): Partial<ServiceIntent> {
  if (text === undefined) return {};
  const [ladder = "restart", actsMax = "5", window = "10m"] = text.split(":");
  const at = { file: "compose.yaml", line: 9 };
  const windowMs = parseDuration(window);
  const heal = { ladder: ladder as ServiceIntent["heal"]["ladder"], actsMax: Number(actsMax) };
  return { heal: { ...heal, windowMs, at } };
}

function readRestart(text: string | undefined): Partial<ServiceIntent> {
  if (text === undefined) return {};
  const [policy = "always", attempts] = text.split(":");
  return {
    restart: {
      policy: policy as ServiceIntent["restart"]["policy"],
      ...(attempts === undefined ? {} : { attemptsMax: Number(attempts) }),
    },
  };
}

/** The service that a `service` command describes. */
export function readService({ plain, named, flags }: Words): ServiceIntent {
  const [name = "web"] = plain;
  const base = buildService({ name });
  const depends = named.get("depends");
  const shares = named.get("shares");
  const ttl = named.get("ttl");
  const fixedName = named.get("container_name");
  const ports = named.get("port");
  const HostConfig = {
    ...(ports === undefined ? {} : { PortBindings: { "80/tcp": [{ HostPort: ports }] } }),
    ...(flags.has("volume")
      ? { Mounts: [{ Type: "volume" as const, Source: "data", Target: "/data" }] }
      : {}),
  };
  const update = base.update;
  return {
    ...base,
    replicas: Number(named.get("replicas") ?? "1"),
    hash: `${name}-${named.get("hash") ?? "v1"}`,
    container: {
      Image: "app:1",
      HostConfig,
      ...(flags.has("checked") ? { Healthcheck: HEALTHCHECK } : {}),
    },
    ...(depends === undefined ? {} : { dependsOn: depends.split(",").map(readDependency) }),
    ...(shares === undefined ? {} : { network: { kind: "service", service: shares } }),
    ...(ttl === undefined ? {} : { ttlMs: parseDuration(ttl) }),
    ...(fixedName === undefined ? {} : { fixedName }),
    ...readHeal(named.get("heal")),
    ...readRestart(named.get("restart")),
    update: {
      order: (named.get("order") ?? update.order) as ServiceIntent["update"]["order"],
      parallelism: Number(named.get("parallelism") ?? update.parallelism),
      delayMs: parseDuration(named.get("delay") ?? "0"),
      monitorMs: parseDuration(named.get("monitor") ?? "5s"),
      onFailure: (named.get("failure") ?? update.onFailure) as ServiceIntent["update"]["onFailure"],
    },
  };
}
