// SPDX-License-Identifier: Apache-2.0
// Where the engine is: an address, DOCKER_HOST, or a Docker context with its TLS files.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { FairleadError } from "#base/errors.ts";
import { engineErrors } from "#engine/errors.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** An address that can be connected to. */
export type Endpoint =
  | { readonly kind: "unix"; readonly text: string; readonly socketPath: string }
  | {
      readonly kind: "tcp";
      readonly text: string;
      readonly host: string;
      readonly port: number;
      readonly tls: TlsFiles | undefined;
    };

/** PEM texts; `ca` absent means the system's authorities. */
export interface TlsFiles {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly verify: boolean;
}

const DEFAULT_ADDRESS = "unix:///var/run/docker.sock";

/** The text; undefined when there is no such file. One that may not be read is an error, never taken for absent. */
function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new FairleadError(engineErrors["bad-endpoint"], `${path} cannot be read`, {
      cause: error,
      remedy: `let this user read ${path}`,
    });
  }
}

function failMissing(path: string, why: string): never {
  throw new FairleadError(engineErrors["bad-endpoint"], `${path} is missing: ${why}`, {
    facts: { "looked for": path },
    remedy: "put the certificates there, or name their directory with DOCKER_CERT_PATH",
  });
}

/** Reads ca.pem, cert.pem and key.pem. Throws FL0304 when half a pair is missing, or the authority while `caNeeded`. */
function readTls(directory: string, verify: boolean, caNeeded: boolean): TlsFiles {
  const paths = {
    ca: join(directory, "ca.pem"),
    cert: join(directory, "cert.pem"),
    key: join(directory, "key.pem"),
  };
  const [ca, cert, key] = [
    readOptional(paths.ca),
    readOptional(paths.cert),
    readOptional(paths.key),
  ];
  if (ca === undefined && caNeeded)
    failMissing(paths.ca, "the engine's certificate is checked against it");
  if (cert !== undefined && key === undefined) failMissing(paths.key, "cert.pem needs its key");
  if (cert === undefined && key !== undefined)
    failMissing(paths.cert, "key.pem is of no use without");
  return { ca, cert, key, verify };
}

/** Parses an address. Throws FL0304 `bad-endpoint`. */
export function parseEndpoint(address: string, tls?: TlsFiles): Endpoint {
  if (address.startsWith("unix://") && address.length > "unix://".length) {
    return { kind: "unix", text: address, socketPath: address.slice("unix://".length) };
  }
  const match = /^(tcp|http|https):\/\/(\[[0-9a-fA-F:]+\]|[^:/]+)(?::(\d+))?\/?$/.exec(address);
  if (match === null) {
    const ssh = address.startsWith("ssh://");
    throw new FairleadError(
      engineErrors["bad-endpoint"],
      `"${address}" is not an address of an engine`,
      ssh
        ? {
            remedy:
              "forward the socket: ssh -L /tmp/docker.sock:/var/run/docker.sock HOST, then DOCKER_HOST=unix:///tmp/docker.sock",
          }
        : {},
    );
  }
  const [, scheme, host = "", port] = match;
  const secure =
    tls ??
    (scheme === "https"
      ? { ca: undefined, cert: undefined, key: undefined, verify: true }
      : undefined);
  return {
    kind: "tcp",
    text: address,
    host: host.replace(/^\[|\]$/g, ""),
    port: Number(port ?? (secure === undefined ? 2375 : 2376)),
    tls: secure,
  };
}

function readContext(name: string, configDirectory: string): Endpoint {
  const id = createHash("sha256").update(name).digest("hex");
  const path = join(configDirectory, "contexts", "meta", id, "meta.json");
  const text = readOptional(path);
  if (text === undefined) {
    throw new FairleadError(engineErrors["bad-endpoint"], `there is no Docker context "${name}"`, {
      facts: { "looked in": path },
    });
  }
  let meta: { Endpoints?: { docker?: { Host?: string; SkipTLSVerify?: boolean } } };
  try {
    meta = JSON.parse(text) as typeof meta;
  } catch (error) {
    throw new FairleadError(
      engineErrors["bad-endpoint"],
      `the Docker context "${name}" is not JSON`,
      { cause: error, facts: { file: path } },
    );
  }
  const docker = meta.Endpoints?.docker;
  if (docker?.Host === undefined) {
    throw new FairleadError(
      engineErrors["bad-endpoint"],
      `the Docker context "${name}" names no engine`,
      { facts: { file: path } },
    );
  }
  const tlsDirectory = join(configDirectory, "contexts", "tls", id, "docker");
  const tls = readTls(tlsDirectory, docker.SkipTLSVerify !== true, false);
  const hasTls = tls.ca !== undefined || tls.cert !== undefined;
  return parseEndpoint(docker.Host, hasTls ? tls : undefined);
}

function readCurrentContext(configDirectory: string): string | undefined {
  const text = readOptional(join(configDirectory, "config.json"));
  if (text === undefined) return undefined;
  try {
    const { currentContext } = JSON.parse(text) as { currentContext?: unknown };
    return typeof currentContext === "string" && currentContext !== "" ? currentContext : undefined;
  } catch (error) {
    throw new FairleadError(engineErrors["bad-endpoint"], "Docker's config.json is not JSON", {
      cause: error,
      facts: { file: join(configDirectory, "config.json") },
    });
  }
}

/**
 * The engine to talk to: `given` (an address or a context's name), else DOCKER_HOST, DOCKER_CONTEXT, the current context,
 * the default socket: the order of Docker's own tools. Throws FL0304 `bad-endpoint`.
 */
export function resolveEndpoint(given: string, env: Env): Endpoint {
  const configDirectory = env["DOCKER_CONFIG"] ?? join(env["HOME"] ?? homedir(), ".docker");
  const isAddress = given.includes("://");
  if (given !== "" && given !== "default" && !isAddress) return readContext(given, configDirectory);
  const named = given === "default" ? "" : (env["DOCKER_HOST"] ?? "");
  const host = isAddress ? given : named;
  if (host !== "") {
    const isSet = (name: string): boolean => (env[name] ?? "") !== "";
    const verify = isSet("DOCKER_TLS_VERIFY");
    const secure = verify || isSet("DOCKER_TLS") || isSet("DOCKER_CERT_PATH");
    const useTls = secure && host.startsWith("tcp://");
    const directory = isSet("DOCKER_CERT_PATH") ? env["DOCKER_CERT_PATH"] : undefined;
    return parseEndpoint(
      host,
      useTls ? readTls(directory ?? configDirectory, verify, verify) : undefined,
    );
  }
  const context =
    given === "default"
      ? undefined
      : (env["DOCKER_CONTEXT"] ?? readCurrentContext(configDirectory));
  if (context !== undefined && context !== "" && context !== "default")
    return readContext(context, configDirectory);
  return parseEndpoint(DEFAULT_ADDRESS);
}
