// SPDX-License-Identifier: Apache-2.0
// Settings from their layers: defaults, file, environment, flags. Every value remembers where it came from.
import type { z } from "zod";
import { FairleadError, type Location } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import {
  defaultRuntimeDir,
  defaultSettingsFile,
  defaultStateDir,
  type Place,
} from "./default-paths.ts";
import { configErrors } from "./errors.ts";
import { listSettingPaths, nameVariable } from "./setting-paths.ts";
import { parseSettingsFile, type SettingsFile } from "./settings-file.ts";
import { type Settings, SettingsSchema } from "./settings.ts";

export interface LoadOptions extends Place {
  /** Dotted path to text: `{ "engine.parallelism": "8" }`. */
  readonly flags: Readonly<Record<string, string>>;
  /** By dotted path: what whoever typed a flag's value calls it, where that is not the setting's own flag. */
  readonly flagNames?: Readonly<Record<string, string>>;
  readonly hostName: string;
  /** The text of a file, or undefined when there is none. Throws when it cannot be read. */
  readonly readFile: (path: string) => string | undefined;
  /** A settings file that has to exist; otherwise FAIRLEAD_CONFIG, otherwise the default one if it exists. */
  readonly file?: string;
}

/** Settings, where each came from (`default`, `fairlead.yaml:3`, `FAIRLEAD_LISTEN`, `--listen`), and what was odd. */
export interface LoadedSettings {
  readonly settings: Settings;
  readonly origins: Readonly<Record<string, string>>;
  readonly file: string | undefined;
  readonly warnings: readonly string[];
}

interface Layered {
  readonly value: unknown;
  readonly origin: string;
  readonly at?: Location;
}

/** Variables that are no settings but are Fairlead's. */
const OTHER_VARIABLES = new Set([
  "FAIRLEAD_CONFIG",
  "FAIRLEAD_SCOPE",
  "FAIRLEAD_CTX",
  "FAIRLEAD_FABRIC",
  "FAIRLEAD_NAME",
  "FAIRLEAD_TICKET",
  "FAIRLEAD_TOKEN",
  "FAIRLEAD_ROUTE",
  "FAIRLEAD_TLS",
  "FAIRLEAD_TLS_CA",
  "FAIRLEAD_TLS_CERT",
  "FAIRLEAD_TLS_KEY",
]);

function listDefaults(options: LoadOptions): Record<string, string | number> {
  return {
    version: 1,
    nodeName: options.hostName,
    stateDir: defaultStateDir(options),
    socket: `${defaultRuntimeDir(options)}/fairlead.sock`,
    listen: "127.0.0.1:7117",
    logLevel: "info",
    nodeLabels: "",
    nodeDevices: "",
    resyncIntervalMs: 30_000,
    "store.kind": "sqlite",
    "store.endpoints": "127.0.0.1:2379",
    "store.prefix": "",
    "store.caFile": "",
    "store.certFile": "",
    "store.keyFile": "",
    "store.user": "",
    "store.passwordFile": "",
    "engine.endpoint": "",
    "engine.parallelism": 32,
    "fabric.socket": "",
    "fabric.listen": "off",
    "fabric.caFile": "",
    "fabric.certFile": "",
    "fabric.keyFile": "",
    "fabric.route": "ewma",
    "fabric.keepGroupsDays": 7,
    "dns.listen": "off",
    "dns.upstreams": "",
    "discovery.multicast": "auto",
    "discovery.keyFile": "",
    "discovery.group": "239.255.71.17",
    "discovery.port": 7_118,
    "discovery.interface": "",
    "discovery.heartbeatMs": 5_000,
    "discovery.plainScope": "",
    "discovery.seeds": "",
    "discovery.seedsListen": "0.0.0.0:7119",
    "fleet.name": "",
    "fleet.listen": "0.0.0.0:7120",
    "fleet.address": "",
    "fleet.images": "on",
    "identity.certFile": "",
    "identity.keyFile": "",
    "identity.caFile": "",
    serviceAddresses: "198.18.0.0/16,fd66:6c73::/64",
    "overlay.addresses": "10.128.0.0/10,fd66:6c76::/40",
    "overlay.port": 4_789,
    "api.certFile": "",
    "api.keyFile": "",
    "audit.headFile": "",
    "audit.file": "",
    "audit.syslog": "",
    "audit.keepDays": 365,
    "audit.sizeMaxBytes": 4_294_967_296,
    "overlay.encryption": "off",
    "overlay.tunnelPort": 51_820,
    "overlay.rotateDays": 30,
    "overlay.shortcut": "auto",
    "decisions.keepDays": 30,
    "decisions.sizeMaxBytes": 268_435_456,
  };
}

function readSettingsFile(options: LoadOptions): SettingsFile | undefined {
  const named = options.file ?? options.env["FAIRLEAD_CONFIG"];
  const path = named ?? defaultSettingsFile(options);
  let text: string | undefined;
  try {
    text = options.readFile(path);
  } catch (thrown) {
    throw new FairleadError(configErrors["settings-unreadable"], `cannot read ${path}`, {
      cause: thrown,
      facts: { because: thrown instanceof Error ? thrown.message : String(thrown) },
    });
  }
  if (text !== undefined) return parseSettingsFile(path, text);
  if (named === undefined) return undefined;
  throw new FairleadError(configErrors["settings-unreadable"], `there is no file ${path}`);
}

function listWarnings(options: LoadOptions, paths: readonly string[]): string[] {
  const known = new Set([...paths.map(nameVariable), ...OTHER_VARIABLES]);
  return Object.keys(options.env)
    .filter((name) => name.startsWith("FAIRLEAD_") && !known.has(name))
    .map((name) => {
      const nearest = findNearest(name, known);
      return `unknown variable ${name} is ignored${nearest === undefined ? "" : `; did you mean ${nearest}?`}`;
    });
}

function refuseFlag(path: string, paths: readonly string[]): FairleadError {
  const nearest = findNearest(path, paths);
  const hint = nearest === undefined ? {} : { remedy: `did you mean ${nearest}?` };
  return new FairleadError(configErrors["unknown-setting"], `there is no setting "${path}"`, hint);
}

function stackLayers(
  options: LoadOptions,
  file: SettingsFile | undefined,
  paths: readonly string[],
): Map<string, Layered> {
  const layers = new Map<string, Layered>();
  for (const [path, value] of Object.entries(listDefaults(options))) {
    layers.set(path, { value, origin: "default" });
  }
  for (const entry of file?.entries ?? []) {
    const origin = `${entry.at.file}:${entry.at.line}`;
    layers.set(entry.path, { value: entry.value, origin, at: entry.at });
  }
  for (const path of paths) {
    const value = options.env[nameVariable(path)];
    if (value !== undefined) layers.set(path, { value, origin: nameVariable(path) });
  }
  for (const [path, value] of Object.entries(options.flags)) {
    if (!paths.includes(path)) throw refuseFlag(path, paths);
    layers.set(path, { value, origin: options.flagNames?.[path] ?? `--${nameFlag(path)}` });
  }
  return layers;
}

/** `engine.endpoint` as a flag: `engine-endpoint`. */
function nameFlag(path: string): string {
  return nameVariable(path).slice("FAIRLEAD_".length).toLowerCase().replaceAll("_", "-");
}

function nest(layers: ReadonlyMap<string, Layered>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [path, { value }] of layers) {
    const [first = "", second] = path.split(".");
    if (second === undefined) {
      root[first] = value;
      continue;
    }
    const group = root[first];
    const kept = typeof group === "object" && group !== null ? group : {};
    root[first] = { ...kept, [second]: value };
  }
  return root;
}

function refuseValue(issue: z.core.$ZodIssue, layers: ReadonlyMap<string, Layered>): FairleadError {
  const path = issue.path.join(".");
  const layer = layers.get(path);
  return new FairleadError(configErrors["bad-setting"], `${path}: ${issue.message}`, {
    facts: layer === undefined ? {} : { value: String(layer.value), "set by": layer.origin },
    ...(layer?.at === undefined ? {} : { location: layer.at }),
  });
}

/**
 * Loads, checks and freezes the settings. Throws FL0651 for an unknown key of the file, FL0652 for a value that does not
 * fit, FL0653 for an unreadable file; each with file, line and column where it has one.
 */
export function loadSettings(options: LoadOptions): LoadedSettings {
  const paths = listSettingPaths();
  const file = readSettingsFile(options);
  const layers = stackLayers(options, file, paths);
  const parsed = SettingsSchema.safeParse(nest(layers));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    if (issue === undefined) throw FairleadError.from(parsed.error, configErrors["bad-setting"]);
    throw refuseValue(issue, layers);
  }
  return {
    settings: Object.freeze(parsed.data),
    origins: Object.fromEntries([...layers].map(([path, layer]) => [path, layer.origin])),
    file: file?.path,
    warnings: listWarnings(options, paths),
  };
}
