// SPDX-License-Identifier: Apache-2.0
import type { IncomingMessage } from "node:http";
import type { Clock, Random } from "#base/clock.ts";
import { isKind } from "#base/errors.ts";
import { createLimiter } from "#base/limiter.ts";
import type {
  CallOptions,
  EngineInfo,
  EngineReader,
  ImageDetails,
  InstanceStats,
  LogLine,
  LogOptions,
} from "#engine/engine.ts";
import { engineErrors } from "#engine/errors.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { Connection } from "./connection.ts";
import { parseTime, toInstance, type ContainerDocument } from "./documents.ts";
import { readEngineStart, watchEvents } from "./events.ts";
import { demultiplex, splitLines } from "./frames.ts";
import { toPreview, type ListedDocument, type NetworkDocument } from "./preview.ts";
import { toStats, type StatsDocument } from "./stats.ts";

/** Inspections at once when everything is listed. */
const INSPECT_WIDTH = 24;
const SLOW_READ_MS = 30_000;
/** The engine writes a whole image to its disk before it says the first word of it. */
const EXPORT_HEAD_MS = 600_000;

interface InfoDocument {
  readonly ID?: string;
  readonly Name?: string;
  /** `NAME=VALUE`, or a name alone. */
  readonly Labels?: readonly string[] | null;
  readonly OSType?: string;
  readonly Architecture?: string;
  readonly KernelVersion?: string;
  readonly CgroupVersion?: string;
  readonly CgroupDriver?: string;
  readonly Driver?: string;
  readonly DockerRootDir?: string;
  readonly LiveRestoreEnabled?: boolean;
  readonly SecurityOptions?: readonly string[] | null;
  readonly Swarm?: { readonly LocalNodeState?: string; readonly ControlAvailable?: boolean };
  readonly Warnings?: readonly string[] | null;
  readonly NCPU?: number;
  readonly MemTotal?: number;
  readonly SystemTime?: string;
}

interface ImageDocument {
  readonly Id: string;
  readonly RepoTags?: readonly string[] | null;
  readonly Size?: number;
  readonly Os?: string;
  readonly Architecture?: string;
  readonly Variant?: string;
  readonly Created?: string;
}

function toDetails(document: ImageDocument): ImageDetails {
  return {
    id: document.Id,
    tags: document.RepoTags ?? [],
    sizeBytes: document.Size ?? 0,
    os: document.Os ?? "",
    arch: document.Architecture ?? "",
    variant: document.Variant ?? "",
    createdAtMs: parseTime(document.Created),
  };
}

interface Labelled {
  readonly Labels?: Readonly<Record<string, string>> | null;
}

function readLabels(pairs: readonly string[]): Record<string, string> {
  const split = pairs.map((pair): [string, string] => {
    const at = pair.indexOf("=");
    return at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)];
  });
  return Object.fromEntries(split);
}

async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isKind(error, engineErrors["not-there"])) return undefined;
    if (isKind(error, engineErrors["image-missing"])) return undefined;
    throw error;
  }
}

function logQuery(options: LogOptions): string {
  const query = new URLSearchParams({ stdout: "1", stderr: "1" });
  if (options.follow === true) query.set("follow", "1");
  if (options.timestamps === true) query.set("timestamps", "1");
  if (options.tail !== undefined) query.set("tail", String(options.tail));
  if (options.sinceNs !== undefined) query.set("since", formatNs(options.sinceNs));
  else if (options.sinceMs !== undefined) query.set("since", String(options.sinceMs / 1_000));
  if (options.untilMs !== undefined) query.set("until", String(options.untilMs / 1_000));
  return query.toString();
}

const NS_PER_S = 1_000_000_000n;

/** `1764275798.123456789`, as the engine takes it. */
function formatNs(ns: bigint): string {
  return `${ns / NS_PER_S}.${String(ns % NS_PER_S).padStart(9, "0")}`;
}

/** `2026-11-27T20:36:38.123456789Z`; undefined when it is no such time. */
function parseNs(text: string): bigint | undefined {
  const [, seconds = "", fraction = ""] = /^([\dT:-]+)(?:\.(\d{1,9}))?Z$/.exec(text) ?? [];
  const ms = Date.parse(`${seconds}Z`);
  if (Number.isNaN(ms)) return undefined;
  return BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}

function toLogLine(stream: "stdout" | "stderr", text: string, timestamps: boolean): LogLine {
  const at = timestamps ? text.indexOf(" ") : -1;
  if (at < 0) return { stream, atMs: undefined, atNs: undefined, text };
  const time = text.slice(0, at);
  return { stream, atMs: parseTime(time), atNs: parseNs(time), text: text.slice(at + 1) };
}

/** The reading half of the driver. */
export function createReader(connection: Connection, clock: Clock, random: Random): EngineReader {
  const inspecting = createLimiter(INSPECT_WIDTH);

  async function inspectDocument(
    id: string,
    options: CallOptions = {},
  ): Promise<ContainerDocument | undefined> {
    const path = `/containers/${encodeURIComponent(id)}/json`;
    return (await orUndefined(connection.call("GET", path, options))) as
      | ContainerDocument
      | undefined;
  }

  async function inspectInstance(
    id: string,
    options?: CallOptions,
  ): Promise<InstanceFact | undefined> {
    const document = await inspectDocument(id, options);
    return document === undefined ? undefined : toInstance(document);
  }

  async function previewInstance(
    id: string,
    options: CallOptions = {},
  ): Promise<InstanceFact | undefined> {
    const query = new URLSearchParams({ all: "1", filters: JSON.stringify({ id: [id] }) });
    const [entry] = (await connection.call(
      "GET",
      `/containers/json?${query}`,
      options,
    )) as readonly ListedDocument[];
    if (entry === undefined) return undefined;
    const names = Object.keys(entry.NetworkSettings?.Networks ?? {});
    const networks = await Promise.all(
      names.map((name) => {
        const path = `/networks/${encodeURIComponent(name)}`;
        return orUndefined(connection.call("GET", path, options));
      }),
    );
    return toPreview(entry, networks as readonly (NetworkDocument | undefined)[]);
  }

  async function info(options: CallOptions = {}): Promise<EngineInfo> {
    connection.reset();
    const apiVersion = await connection.negotiate(options.signal);
    const [version, about] = (await Promise.all([
      connection.call("GET", "/version", options),
      connection.call("GET", "/info", options),
    ])) as [{ Version?: string; MinAPIVersion?: string }, InfoDocument];
    return {
      version: version.Version ?? "unknown",
      apiVersion,
      minApiVersion: version.MinAPIVersion ?? "",
      id: about.ID ?? "",
      hostName: about.Name ?? "",
      labels: readLabels(about.Labels ?? []),
      os: about.OSType ?? "",
      arch: about.Architecture ?? "",
      kernel: about.KernelVersion ?? "",
      cgroupVersion: about.CgroupVersion ?? "1",
      cgroupDriver: about.CgroupDriver ?? "",
      storageDriver: about.Driver ?? "",
      rootDir: about.DockerRootDir ?? "",
      liveRestore: about.LiveRestoreEnabled ?? false,
      rootless: (about.SecurityOptions ?? []).some((option) => option.includes("rootless")),
      swarmActive: about.Swarm?.LocalNodeState === "active",
      swarmState: about.Swarm?.LocalNodeState ?? "inactive",
      swarmManager: about.Swarm?.ControlAvailable ?? false,
      warnings: about.Warnings ?? [],
      cpuCount: about.NCPU ?? 0,
      memoryBytes: about.MemTotal ?? 0,
      systemTimeMs: about.SystemTime === undefined ? undefined : parseTime(about.SystemTime),
      startedAtMs: readEngineStart(connection),
    };
  }

  async function* logs(id: string, options: LogOptions = {}): AsyncGenerator<LogLine> {
    const document = await inspectDocument(id, options);
    if (document === undefined) return;
    const ended = new AbortController();
    const signal =
      options.signal === undefined ? ended.signal : AbortSignal.any([ended.signal, options.signal]);
    const path = `/containers/${encodeURIComponent(id)}/logs?${logQuery(options)}`;
    const response = await connection.stream("GET", path, {
      signal,
      deadlineMs: options.deadlineMs,
    });
    try {
      const tty = document.Config.Tty === true;
      for await (const line of splitLines(demultiplex(response as AsyncIterable<Buffer>, tty))) {
        yield toLogLine(line.stream, line.text, options.timestamps === true);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      ended.abort();
    }
  }

  async function* stats(id: string, options: CallOptions = {}): AsyncGenerator<InstanceStats> {
    const ended = new AbortController();
    const signal =
      options.signal === undefined ? ended.signal : AbortSignal.any([ended.signal, options.signal]);
    const response: IncomingMessage = await connection.stream(
      "GET",
      `/containers/${encodeURIComponent(id)}/stats`,
      { signal, deadlineMs: options.deadlineMs },
    );
    let before: StatsDocument | undefined;
    try {
      const chunks = demultiplex(response as AsyncIterable<Buffer>, true);
      for await (const { text } of splitLines(chunks)) {
        const document = JSON.parse(text) as StatsDocument;
        if (before !== undefined) yield toStats(document, before);
        before = document;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      ended.abort();
    }
  }

  return {
    endpoint: connection.endpoint.text,
    info,
    async ping(options = {}) {
      await connection.call("GET", "/_ping", options);
    },
    async listInstances({ onUnreadable, ...options } = {}) {
      const parts = { deadlineMs: SLOW_READ_MS, ...options };
      const list = (await connection.call("GET", "/containers/json?all=1", parts)) as readonly {
        Id: string;
      }[];
      const inspectOne = async (id: string): Promise<InstanceFact | undefined> => {
        try {
          return await inspectInstance(id, onUnreadable === undefined ? parts : options);
        } catch (error) {
          if (onUnreadable === undefined || isKind(error, engineErrors["engine-unreachable"]))
            throw error;
          onUnreadable(id, error);
          return undefined;
        }
      };
      const found = await Promise.all(list.map(({ Id }) => inspecting.run(() => inspectOne(Id))));
      return found.filter((instance) => instance !== undefined);
    },
    inspectInstance,
    previewInstance,
    async inspectRaw(id, options) {
      return (await inspectDocument(id, options)) as Record<string, unknown> | undefined;
    },
    async healthLog(id, options) {
      const document = await inspectDocument(id, options);
      return (document?.State.Health?.Log ?? []).map((check) => ({
        atMs: parseTime(check.End),
        exitCode: check.ExitCode,
        output: check.Output,
      }));
    },
    async listNetworks(options = {}) {
      const list = (await connection.call("GET", "/networks", options)) as readonly (Labelled & {
        Id: string;
        Name: string;
        Driver: string;
        Options?: Readonly<Record<string, string>> | null;
      })[];
      return list.map(({ Id, Name, Driver, Labels, Options }) => ({
        id: Id,
        name: Name,
        driver: Driver,
        labels: Labels ?? {},
        ...(Object.keys(Options ?? {}).length === 0 ? {} : { options: Options ?? {} }),
      }));
    },
    async listVolumes(options = {}) {
      const { Volumes } = (await connection.call("GET", "/volumes", options)) as {
        Volumes?: readonly (Labelled & { Name: string })[] | null;
      };
      return (Volumes ?? []).map(({ Name, Labels }) => ({ name: Name, labels: Labels ?? {} }));
    },
    async inspectImage(reference, options = {}) {
      const path = `/images/${encodeURIComponent(reference)}/json`;
      const document = await orUndefined(connection.call("GET", path, options));
      return document === undefined ? undefined : toDetails(document as ImageDocument);
    },
    async exportImage(id, options = {}) {
      const parts = { deadlineMs: EXPORT_HEAD_MS, ...options };
      return connection.stream("GET", `/images/${encodeURIComponent(id)}/get`, parts);
    },
    async listImages(options = {}) {
      const list = (await connection.call("GET", "/images/json", options)) as readonly {
        Id: string;
        RepoTags?: readonly string[] | null;
        RepoDigests?: readonly string[] | null;
        Size: number;
      }[];
      return list.map(({ Id, RepoTags, RepoDigests, Size }) => ({
        id: Id,
        tags: [...(RepoTags ?? []), ...(RepoDigests ?? [])],
        sizeBytes: Size,
      }));
    },
    logs,
    stats,
    watch: ({ sinceNs, signal }) => watchEvents({ connection, clock, random, sinceNs, signal }),
    async [Symbol.asyncDispose]() {
      connection.close();
    },
  };
}
