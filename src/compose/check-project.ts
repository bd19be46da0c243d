// SPDX-License-Identifier: Apache-2.0
// What only shows when everything is merged: references, contradictions, circles.
import type { ErrorKind, Location } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import { composeErrors } from "./errors.ts";
import { findCircle } from "./find-circle.ts";
import type { Findings } from "./findings.ts";
import { child, type MapNode, textOf, type Tree } from "./tree.ts";

/** Names of services left out because none of their profiles is active, with those profiles. */
export type Inactive = ReadonlyMap<string, readonly string[]>;

interface Check {
  readonly tree: MapNode;
  readonly services: ReadonlyMap<string, Tree>;
  readonly inactive: Inactive;
  readonly findings: Findings;
}

/** Adds a problem to `findings` for everything that cannot hold. */
export function checkProject(tree: MapNode, inactive: Inactive, findings: Findings): void {
  const node = child(tree, "services");
  const services = new Map(
    node?.kind === "map" ? [...node.entries].map(([name, e]) => [name, e.value] as const) : [],
  );
  if (services.size === 0 && inactive.size === 0) {
    findings.error(composeErrors["no-services"], "no service is defined", tree.at);
  }
  const check: Check = { tree, services, inactive, findings };
  const names = new Map<string, string>();
  for (const [name, service] of services) {
    checkImage(check, name, service);
    checkReferences(check, name, service);
    checkContradictions(check, name, service);
    checkFilesOfReadOnly(check, name, service);
    checkFixedName(check, name, service, names);
  }
  warnAboutSamePorts(check);
  checkResources(check);
  checkCircles(check);
}

function keysOf(node: Tree | undefined): string[] {
  return node?.kind === "map" ? [...node.entries.keys()] : [];
}

function itemsOf(node: Tree | undefined): readonly Tree[] {
  return node?.kind === "list" ? node.items : [];
}

function checkImage(check: Check, name: string, service: Tree): void {
  if (child(service, "image") !== undefined || child(service, "build") !== undefined) return;
  check.findings.error(
    composeErrors["no-image"],
    `the service ${name} has neither image nor build`,
    service.at,
  );
}

function refuseReference(
  check: Check,
  what: string,
  wanted: string,
  at: Location,
  known: Iterable<string>,
): void {
  const nearest = findNearest(wanted.slice(0, 64), known);
  const profiles = check.inactive.get(wanted);
  const hint =
    profiles === undefined || !what.endsWith("service")
      ? nearest === undefined
        ? undefined
        : `did you mean ${nearest}?`
      : `it is only in the profile ${profiles.join(", ")}; activate it with --profile ${profiles[0] ?? ""}`;
  const state =
    hint?.startsWith("it is only") === true ? "which is not active" : "which is not defined";
  check.findings.error(
    composeErrors["undefined-reference"],
    `${what} "${wanted}", ${state}`,
    at,
    hint,
  );
}

function checkReferences(check: Check, name: string, service: Tree): void {
  const section = (
    key: string,
    section_: string,
    what: string,
    skip: readonly string[] = [],
  ): void => {
    const known = keysOf(child(check.tree, section_));
    const used = child(service, key);
    const wanted: [string, Location][] =
      used?.kind === "map"
        ? [...used.entries].map(([k, e]) => [k, e.keyAt])
        : itemsOf(used).map((item) => [textOf(child(item, "source")) ?? "", item.at]);
    for (const [reference, at] of wanted) {
      if (known.includes(reference) || skip.includes(reference)) continue;
      refuseReference(check, `the service ${name} uses the ${what}`, reference, at, known);
    }
  };
  section("networks", "networks", "network", ["default"]);
  section("configs", "configs", "config");
  section("secrets", "secrets", "secret");
  for (const mount of itemsOf(child(service, "volumes"))) {
    const source = textOf(child(mount, "source"));
    if (textOf(child(mount, "type")) !== "volume" || source === undefined) continue;
    const known = keysOf(child(check.tree, "volumes"));
    if (!known.includes(source)) {
      refuseReference(check, `the service ${name} uses the volume`, source, mount.at, known);
    }
  }
  checkDependencies(check, name, service);
}

function checkDependencies(check: Check, name: string, service: Tree): void {
  const dependsOn = child(service, "depends_on");
  for (const [wanted, { keyAt, value }] of dependsOn?.kind === "map" ? dependsOn.entries : []) {
    if (check.services.has(wanted)) continue;
    if (textOf(child(value, "required")) === "false") continue;
    refuseReference(check, `${name} needs the service`, wanted, keyAt, check.services.keys());
  }
  for (const key of ["network_mode", "pid", "ipc"]) {
    const node = child(service, key);
    const wanted = /^service:(.+)$/.exec(textOf(node) ?? "")?.[1];
    if (wanted === undefined || node === undefined || check.services.has(wanted)) continue;
    if (child(dependsOn, wanted) !== undefined) continue; // reported above
    refuseReference(
      check,
      `${name}.${key} names the service`,
      wanted,
      node.at,
      check.services.keys(),
    );
  }
}

function contradict(
  check: Check,
  message: string,
  at: Location,
  kind: ErrorKind = composeErrors.contradiction,
): void {
  check.findings.error(kind, message, at);
}

function checkContradictions(check: Check, name: string, service: Tree): void {
  const mode = child(service, "network_mode");
  const networks = child(service, "networks");
  if (mode !== undefined && networks?.kind === "map" && networks.entries.size > 0) {
    contradict(check, `the service ${name} has both network_mode and networks`, mode.at);
  }
  checkSharedNetwork(check, name, service);
  checkOwnNameServers(check, name, service);
  const scale = child(service, "scale");
  const deploy = child(service, "deploy");
  const replicas = child(deploy, "replicas");
  if (scale !== undefined && replicas !== undefined && textOf(scale) !== textOf(replicas)) {
    contradict(
      check,
      `the service ${name} has scale ${textOf(scale)} and deploy.replicas ${textOf(replicas)}`,
      scale.at,
    );
  }
  const fixed = child(service, "container_name");
  const count = Number(textOf(replicas) ?? textOf(scale) ?? 1);
  if (fixed !== undefined && count > 1) {
    contradict(
      check,
      `the service ${name} has a container_name and ${count} instances; a name fits one`,
      fixed.at,
    );
  }
  const jobs = child(deploy, "mode");
  if (textOf(jobs)?.endsWith("-job") === true && jobs !== undefined) {
    contradict(
      check,
      `deploy.mode ${textOf(jobs)} of ${name} is for Swarm; write restart: "no" for what ends`,
      jobs.at,
      composeErrors["unsupported-value"],
    );
  }
  const build = child(service, "build");
  const file = child(build, "dockerfile_inline");
  const dockerfile = child(build, "dockerfile");
  if (file !== undefined && dockerfile !== undefined) {
    contradict(check, `build of ${name} has both dockerfile and dockerfile_inline`, file.at);
  }
  warnAboutPorts(check, name, service, count);
}

/** Names that may be called are found by the node's name server, which learns of no answer that another gave. */
function checkOwnNameServers(check: Check, name: string, service: Tree): void {
  const names = textOf(child(child(service, "labels"), "fairlead.egress"))?.trim() ?? "";
  if (names === "") return;
  const others = (what: string, at: Location): void =>
    contradict(
      check,
      `the service ${name} has fairlead.egress and ${what}; only what the node's own answers can be called`,
      at,
    );
  const servers = child(service, "dns");
  if (servers !== undefined && itemsOf(servers).length > 0)
    others("name servers of its own", servers.at);
  const mode = child(service, "network_mode");
  if (mode !== undefined && textOf(mode) === "bridge")
    others("the engine's default network, whose name servers are the engine's", mode.at);
}

/** What belongs to a network namespace, which is another's here; the engine refuses it. */
const OWN_NETWORK_KEYS = ["ports", "hostname", "mac_address", "dns", "extra_hosts"];

function checkSharedNetwork(check: Check, name: string, service: Tree): void {
  const mode = textOf(child(service, "network_mode")) ?? "";
  if (!/^(?:service|container):/.test(mode)) return;
  for (const key of OWN_NETWORK_KEYS) {
    const node = child(service, key);
    if (node === undefined || (node.kind === "list" && node.items.length === 0)) continue;
    contradict(
      check,
      `${key} of ${name} cannot be set with network_mode ${mode}; set it there`,
      node.at,
    );
  }
}

/** The engine copies contents into the container, and takes no copy into a root file system that is read-only. */
function checkFilesOfReadOnly(check: Check, name: string, service: Tree): void {
  if (textOf(child(service, "read_only")) !== "true") return;
  for (const [section, what] of [
    ["configs", "config"],
    ["secrets", "secret"],
  ] as const) {
    for (const use of itemsOf(child(service, section))) {
      const key = textOf(child(use, "source")) ?? "";
      const found = child(child(check.tree, section), key);
      if ((child(found, "content") ?? child(found, "environment")) === undefined) continue;
      check.findings.error(
        composeErrors.contradiction,
        `the service ${name} is read_only, so the engine cannot put the ${what} ${key} into it`,
        use.at,
        `give the ${what} by file, which is mounted; Docker Compose takes no other here either`,
      );
    }
  }
}

function warnAboutPorts(check: Check, name: string, service: Tree, count: number): void {
  const mode = textOf(child(service, "network_mode"));
  for (const port of itemsOf(child(service, "ports"))) {
    const published = textOf(child(port, "published"));
    if (mode === "host") {
      check.findings.warn(
        composeErrors.contradiction,
        `ports of ${name} have no effect with network_mode host; it listens on the host itself`,
        port.at,
      );
      return;
    }
    if (count > 1 && published !== undefined && /^[1-9]\d*$/.test(published)) {
      check.findings.warn(
        composeErrors.contradiction,
        `the host port ${published} fits one of the ${count} instances of ${name}`,
        port.at,
        "publish a range, for example 8080-8089:80, or leave the host port out",
      );
    }
  }
}

/** Two services that publish one port of the host: the engine will only let one of them start. */
function warnAboutSamePorts(check: Check): void {
  const taken = new Map<string, string>();
  for (const [name, service] of check.services) {
    for (const port of itemsOf(child(service, "ports"))) {
      const published = textOf(child(port, "published"));
      if (published === undefined || !/^[1-9]\d*$/.test(published)) continue;
      const ip = textOf(child(port, "host_ip")) ?? "";
      const key = `${ip}:${published}/${textOf(child(port, "protocol")) ?? "tcp"}`;
      const other = taken.get(key);
      if (other !== undefined && other !== name) {
        check.findings.warn(
          composeErrors.contradiction,
          `${other} and ${name} publish the same host port ${published}; only one of them can`,
          port.at,
        );
      }
      taken.set(key, name);
    }
  }
}

function checkFixedName(
  check: Check,
  name: string,
  service: Tree,
  seen: Map<string, string>,
): void {
  const node = child(service, "container_name");
  const fixed = textOf(node);
  if (node === undefined || fixed === undefined) return;
  const other = seen.get(fixed);
  if (other !== undefined) {
    contradict(
      check,
      `the services ${other} and ${name} have the same container_name ${fixed}`,
      node.at,
    );
  }
  seen.set(fixed, name);
}

function checkResources(check: Check): void {
  for (const section of ["configs", "secrets"]) {
    const used = new Set<string>();
    for (const service of check.services.values()) {
      for (const item of itemsOf(child(service, section)))
        used.add(textOf(child(item, "source")) ?? "");
    }
    const node = child(check.tree, section);
    for (const [key, { keyAt, value }] of node?.kind === "map" ? node.entries : []) {
      if (!used.has(key)) continue;
      const sources = ["file", "environment", "content"].filter(
        (s) => child(value, s) !== undefined,
      );
      if (textOf(child(value, "external")) === "true") {
        contradict(
          check,
          `${section}.${key} is external; only Swarm keeps such`,
          keyAt,
          composeErrors["unsupported-value"],
        );
      } else if (sources.length !== 1) {
        const found = sources.length === 0 ? "none" : sources.join(" and ");
        contradict(
          check,
          `${section}.${key} needs one of file, environment or content, and has ${found}`,
          keyAt,
        );
      }
    }
  }
}

function checkCircles(check: Check): void {
  const graph = new Map<string, readonly string[]>();
  for (const [name, service] of check.services) {
    graph.set(
      name,
      keysOf(child(service, "depends_on")).filter((to) => check.services.has(to)),
    );
  }
  const circle = findCircle(graph);
  if (circle === undefined) return;
  const [first = "", second = ""] = circle;
  const dependsOn = child(check.services.get(first), "depends_on");
  const at = dependsOn?.kind === "map" ? dependsOn.entries.get(second)?.keyAt : undefined;
  check.findings.error(composeErrors.cycle, `services need each other: ${circle.join(" → ")}`, at);
}
