// SPDX-License-Identifier: Apache-2.0
// What a container of a service is, as the engine takes it.
import type { ContainerConfig } from "#model/intent.ts";
import { compileHostConfig, toTexts } from "./compile-host-config.ts";
import type { CompiledMounts } from "./compile-mounts.ts";
import { readShared } from "./compile-network.ts";
import { dropEmpty } from "./drop-empty.ts";
import { readDuration } from "./fairlead-words.ts";
import type { ServiceModel } from "./project.ts";

/** The create body of one service, without what the node adds. `image` is the name that a build gives. */
export function compileContainer(
  service: ServiceModel,
  image: string,
  mounted: CompiledMounts,
): ContainerConfig {
  const hostConfig = compileHostConfig(service, mounted);
  const { entrypoint, command } = service;
  return {
    ...dropEmpty({
      Image: image,
      Cmd: command === null || command === undefined ? undefined : [...command],
      Env: compileEnvironment(service),
      Labels: toTexts(service.labels),
      WorkingDir: service.working_dir,
      User: service.user,
      Hostname: service.hostname,
      Domainname: service.domainname,
      MacAddress: service.mac_address,
      Tty: service.tty === true ? true : undefined,
      OpenStdin: service.stdin_open === true ? true : undefined,
      StopSignal: service.stop_signal,
      ExposedPorts: compileExposed(service),
      Healthcheck: compileHealthcheck(service),
      HostConfig: hostConfig,
    }),
    // The engine takes [""] for "none"; an empty list would mean "as in the image".
    ...(entrypoint === null || entrypoint === undefined
      ? {}
      : { Entrypoint: entrypoint.length === 0 ? [""] : [...entrypoint] }),
  };
}

function compileEnvironment(service: ServiceModel): string[] {
  return Object.entries(service.environment ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => (value === null ? name : `${name}=${value}`));
}

function compileExposed(service: ServiceModel): Record<string, Record<string, never>> {
  const exposed: Record<string, Record<string, never>> = {};
  // The namespace is another's, and the engine refuses to note ports of it here.
  if (readShared(service.network_mode) !== undefined) return exposed;
  for (const port of service.ports ?? []) {
    exposed[`${port.target ?? ""}/${port.protocol ?? "tcp"}`] = {};
  }
  for (const text of service.expose ?? []) {
    const [range = "", protocol = "tcp"] = text.split("/");
    const [first = 0, last = first] = range.split("-").map(Number);
    for (let port = first; port <= last && port <= 65_535; port++) {
      exposed[`${port}/${protocol}`] = {};
    }
  }
  return exposed;
}

/** Nanoseconds; undefined for the engine's default, so that writing it changes nothing. */
function nanos(text: string | undefined, defaultMs: number): number | undefined {
  const ms = text === undefined ? undefined : readDuration(text);
  return ms === undefined || ms === defaultMs ? undefined : Math.round(ms * 1e6);
}

function compileHealthcheck(service: ServiceModel): ContainerConfig["Healthcheck"] {
  const check = service.healthcheck;
  if (check === undefined) return undefined;
  if (check.disable === true) return { Test: ["NONE"] };
  // Without a test of its own the image's check is changed, and its times are not the engine's defaults.
  const own = check.test !== undefined && check.test.length > 0;
  const standard = (ms: number): number => (own ? ms : Number.NaN);
  const body = dropEmpty({
    Test: [...(check.test ?? [])],
    Interval: nanos(check.interval, standard(30_000)),
    Timeout: nanos(check.timeout, standard(30_000)),
    StartPeriod: nanos(check.start_period, 0),
    StartInterval: nanos(check.start_interval, standard(5_000)),
    Retries: own && check.retries === 3 ? undefined : check.retries,
  });
  return Object.keys(body).length === 0 ? undefined : body;
}
