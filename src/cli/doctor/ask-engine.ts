// SPDX-License-Identifier: Apache-2.0
// Two small read-only questions to the engine, for when no node can be asked.
import { request } from "node:http";

const PATIENCE_MS = 5_000;
const DEFAULT_ENDPOINT = "unix:///var/run/docker.sock";

/** What doctor reads of the engine's /info. */
export interface EngineFacts {
  readonly version: string;
  readonly apiVersion: string;
  readonly cgroupVersion: string;
  readonly storageDriver: string;
  readonly rootDir: string;
  readonly liveRestore: boolean;
  readonly swarm: boolean;
  readonly warnings: readonly string[];
  /** The engine's clock minus ours. */
  readonly skewMs: number;
  /** How wrong skewMs may be. */
  readonly skewErrorMs: number;
}

export type EngineAnswer =
  | { readonly kind: "answered"; readonly endpoint: string; readonly facts: EngineFacts }
  | { readonly kind: "silent"; readonly endpoint: string; readonly because: string };

type Target = { readonly socketPath: string } | { readonly host: string; readonly port: number };

function parseEndpoint(endpoint: string): Target | undefined {
  if (endpoint.startsWith("unix://")) return { socketPath: endpoint.slice("unix://".length) };
  const match = /^(?:tcp|http):\/\/(\[[^\]]+\]|[^:/]+)(?::(\d+))?/.exec(endpoint);
  if (match === null) return undefined;
  return { host: (match[1] ?? "").replace(/^\[|\]$/g, ""), port: Number(match[2] ?? 2375) };
}

function get(target: Target, path: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const call = request({ ...target, path, timeout: PATIENCE_MS, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode !== 200)
          return reject(new Error(`answered ${response.statusCode}: ${text.slice(0, 120)}`));
        try {
          const document: Record<string, unknown> = JSON.parse(text);
          resolve(document);
        } catch (thrown) {
          reject(thrown);
        }
      });
    });
    call.on("timeout", () => call.destroy(new Error(`no answer in ${PATIENCE_MS} ms`)));
    call.on("error", reject);
    call.end();
  });
}

const text = (value: unknown) => (typeof value === "string" ? value : "");

async function interview(target: Target): Promise<EngineFacts> {
  const version = await get(target, "/version");
  const beforeMs = Date.now();
  const info = await get(target, "/info");
  const afterMs = Date.now();
  const engineMs = Date.parse(text(info["SystemTime"]));
  const swarm = info["Swarm"];
  return {
    version: text(version["Version"]),
    apiVersion: text(version["ApiVersion"]),
    cgroupVersion: text(info["CgroupVersion"]) || "1",
    storageDriver: text(info["Driver"]),
    rootDir: text(info["DockerRootDir"]),
    liveRestore: info["LiveRestoreEnabled"] === true,
    swarm:
      typeof swarm === "object" &&
      swarm !== null &&
      "LocalNodeState" in swarm &&
      swarm.LocalNodeState === "active",
    warnings: Array.isArray(info["Warnings"]) ? info["Warnings"].map(String) : [],
    skewMs: Number.isNaN(engineMs) ? 0 : engineMs - (beforeMs + afterMs) / 2,
    skewErrorMs: (afterMs - beforeMs) / 2,
  };
}

/** Asks the engine of `endpoint`, or of DOCKER_HOST, or the usual one. Never throws. */
export async function askEngine(
  endpoint: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<EngineAnswer> {
  const chosen = endpoint || env["DOCKER_HOST"] || DEFAULT_ENDPOINT;
  const target = parseEndpoint(chosen);
  if (target === undefined)
    return {
      kind: "silent",
      endpoint: chosen,
      because: "doctor asks unix:// and plain tcp:// engines only",
    };
  try {
    return { kind: "answered", endpoint: chosen, facts: await interview(target) };
  } catch (thrown) {
    return {
      kind: "silent",
      endpoint: chosen,
      because: thrown instanceof Error ? thrown.message : String(thrown),
    };
  }
}
