// SPDX-License-Identifier: Apache-2.0
// The face of the engine room. Reading and writing are two interfaces, so that a dry run holds an object
// that has no way to write, and every write names the decision it belongs to.
import type { InstanceFact, NetworkFact, VolumeFact } from "#model/facts.ts";
import type { ContainerConfig, NetworkIntent, VolumeIntent } from "#model/intent.ts";

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds until the call fails with FL0305 `engine-timeout`; each method has a default of its own. */
  readonly deadlineMs?: number;
}

/** Options of a write. `decision` is sent as the header `X-Fairlead-Decision`. */
export interface WriteOptions extends CallOptions {
  readonly decision: string;
}

export interface EngineInfo {
  readonly version: string;
  readonly apiVersion: string;
  readonly minApiVersion: string;
  /** Engine id: changes when another engine answers on the same socket. */
  readonly id: string;
  /** Name of its host. */
  readonly hostName: string;
  /** `dockerd --label`. */
  readonly labels: Readonly<Record<string, string>>;
  readonly os: string;
  readonly arch: string;
  readonly kernel: string;
  readonly cgroupVersion: string;
  readonly cgroupDriver: string;
  readonly storageDriver: string;
  readonly rootDir: string;
  readonly liveRestore: boolean;
  readonly rootless: boolean;
  readonly swarmActive: boolean;
  /** What it says of itself as a member of a Swarm: `inactive`, `pending`, `active`, `error`, `locked`. */
  readonly swarmState: string;
  /** Whether it may make networks of the Swarm. */
  readonly swarmManager: boolean;
  readonly warnings: readonly string[];
  /** The engine's own clock when it answered, milliseconds; undefined when it does not say. */
  readonly systemTimeMs: number | undefined;
  /** When the engine came up, milliseconds, as far as its socket tells; undefined for a remote one. */
  readonly startedAtMs: number | undefined;
  readonly cpuCount: number;
  readonly memoryBytes: number;
}

/** One event of the engine. Hints only: the truth is a fresh list. */
export interface EngineEvent {
  readonly type: "container" | "network" | "volume" | "image" | "daemon" | string;
  /** `start`, `die`, `health_status: unhealthy`, `oom`, `destroy` … */
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Nanoseconds since 1970. A bigint: milliseconds would merge different events. */
  readonly timeNs: bigint;
}

/**
 * What `watch` yields. List after `connected`, the first and every later one, since events may have been missed before it,
 * and after `relist`, which says that some were lost while connected.
 */
export type EngineSignal =
  | { readonly kind: "event"; readonly event: EngineEvent }
  | { readonly kind: "connected"; readonly restarted: boolean }
  | { readonly kind: "disconnected"; readonly error: string }
  | { readonly kind: "relist" };

export interface LogLine {
  readonly stream: "stdout" | "stderr";
  /** Milliseconds since 1970; present when `timestamps` was asked for. */
  readonly atMs: number | undefined;
  /** The same in nanoseconds: what a reader goes on from. */
  readonly atNs: bigint | undefined;
  readonly text: string;
}

export interface LogOptions extends CallOptions {
  readonly follow?: boolean;
  readonly tail?: number;
  /** Lines of that time and later. */
  readonly sinceMs?: number;
  /** The same in nanoseconds; wins over `sinceMs`. */
  readonly sinceNs?: bigint;
  readonly untilMs?: number;
  readonly timestamps?: boolean;
}

/** One reading of a container's use. */
export interface InstanceStats {
  readonly atMs: number;
  /** Percent of one core since the reading before. */
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly networkReceivedBytes: number;
  readonly networkSentBytes: number;
  readonly blockReadBytes: number;
  readonly blockWrittenBytes: number;
  readonly pids: number;
}

export interface ImageFact {
  readonly id: string;
  readonly tags: readonly string[];
  readonly sizeBytes: number;
}

/** One image in full. */
export interface ImageDetails extends ImageFact {
  /** `linux`. */
  readonly os: string;
  /** As images name it: `amd64`, `arm64`. */
  readonly arch: string;
  /** `v7`, or empty. */
  readonly variant: string;
  readonly createdAtMs: number;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Reading the engine. Safe for concurrent use; one slow call never delays another. */
export interface EngineReader extends AsyncDisposable {
  readonly endpoint: string;
  /** Negotiates the API version and says who answers. Throws FL0301 `engine-unreachable`, FL0302 `engine-too-old`. */
  info(options?: CallOptions): Promise<EngineInfo>;
  /** Whether the engine answers at all: the cheapest question there is. Throws FL0301, FL0305. */
  ping(options?: CallOptions): Promise<void>;
  /**
   * All containers with their details; a container that vanishes in between is left out, never an error. One that the
   * engine lists but cannot describe fails the list, or with `onUnreadable` is told there and left out.
   */
  listInstances(
    options?: CallOptions & { readonly onUnreadable?: (id: string, error: unknown) => void },
  ): Promise<readonly InstanceFact[]>;
  /** One container, or undefined when it is gone. `id` may be a name. */
  inspectInstance(id: string, options?: CallOptions): Promise<InstanceFact | undefined>;
  /**
   * One container as the engine's lists tell of it, which answer also while it is being started: an inspection waits until it
   * has been. Its endpoints are those that it has already; it has no pid. Undefined when it is gone.
   */
  previewInstance(id: string, options?: CallOptions): Promise<InstanceFact | undefined>;
  /** The engine's whole inspect document, for `fairlead inspect`; undefined when gone. */
  inspectRaw(id: string, options?: CallOptions): Promise<Record<string, unknown> | undefined>;
  /** The last outputs of the health check, newest last. */
  healthLog(
    id: string,
    options?: CallOptions,
  ): Promise<readonly { atMs: number; exitCode: number; output: string }[]>;
  listNetworks(options?: CallOptions): Promise<readonly NetworkFact[]>;
  listVolumes(options?: CallOptions): Promise<readonly VolumeFact[]>;
  listImages(options?: CallOptions): Promise<readonly ImageFact[]>;
  /** By reference or id; undefined when the engine has no such image. */
  inspectImage(reference: string, options?: CallOptions): Promise<ImageDetails | undefined>;
  /**
   * `docker save` of one image as it comes; leaving off ends it. By id it has no tags. The engine puts the whole tar on its
   * disk first; the same image gives the same bytes each time. Throws FL0310 `image-missing`.
   */
  exportImage(id: string, options?: CallOptions): Promise<AsyncIterable<Uint8Array>>;
  /** Demultiplexed lines (a TTY's all come as stdout). Ends with the log, or with the container when following. */
  logs(id: string, options?: LogOptions): AsyncIterable<LogLine>;
  /** One stream of readings, about one a second, until aborted or the container ends. */
  stats(id: string, options?: CallOptions): AsyncIterable<InstanceStats>;
  /**
   * Events from now on, or from `sinceNs`; never ends before `signal` aborts. Reconnects with back-off, resumes with
   * `since`, removes duplicates by full nanosecond time and content, and says where a gap is possible.
   */
  watch(options: { sinceNs?: bigint; signal: AbortSignal }): AsyncIterable<EngineSignal>;
}

/** What a create needs besides the container's own configuration: everything already resolved to engine ids and names. */
export interface CreateRequest {
  readonly name: string;
  readonly config: ContainerConfig;
  /** The node's own labels and Compose's; merged over the user's. */
  readonly labels: Readonly<Record<string, string>>;
  readonly platform?: string;
  /** Engine NetworkMode: a network's name, `bridge`, `host`, `none`, `container:<id>`. */
  readonly networkMode: string;
  /** Endpoint settings by network name; the first is in the create call, the rest are connected before the start. */
  readonly endpoints: readonly {
    readonly network: string;
    readonly aliases?: readonly string[] | undefined;
    readonly ipv4Address?: string | undefined;
    readonly ipv6Address?: string | undefined;
    readonly linkLocalIps?: readonly string[] | undefined;
    readonly macAddress?: string | undefined;
    readonly driverOptions?: Readonly<Record<string, string>> | undefined;
  }[];
  /** Engine PidMode/IpcMode `container:<id>` when shared. */
  readonly pidMode?: string;
  readonly ipcMode?: string;
  readonly volumesFrom?: readonly string[];
  /** Written into it before it is complete. */
  readonly files?: readonly FileEntry[];
}

export interface FileEntry {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly content: Uint8Array;
}

/** Writing. Every method is one request (or says so) and names its decision. Absent targets are not errors on stop, kill, remove. */
export interface Engine extends EngineReader {
  /**
   * Creates, connects all endpoints and writes the files; returns the id. Complete or not there under its name: what
   * takes several requests is made under a passing name, which is also its label `io.fairlead.made-as`, and is renamed
   * when all is done; what fails is removed again. A process that is killed in between leaves it under the passing name.
   * Throws FL0310 `image-missing`, FL0311 `name-taken`, FL0312 `engine-refused`.
   */
  createInstance(request: CreateRequest, options: WriteOptions): Promise<string>;
  /** Starts; already running is done. Throws FL0313 `port-in-use` with the port and who holds it, FL0312 `engine-refused` with the engine's words. */
  startInstance(id: string, options: WriteOptions): Promise<void>;
  /** Stops with the grace time (seconds, rounded up by the driver); the deadline is grace + 10 s. */
  stopInstance(
    id: string,
    options: WriteOptions & { graceMs: number; signalName?: string },
  ): Promise<void>;
  killInstance(id: string, options: WriteOptions & { signalName?: string }): Promise<void>;
  restartInstance(id: string, options: WriteOptions & { graceMs: number }): Promise<void>;
  renameInstance(id: string, name: string, options: WriteOptions): Promise<void>;
  removeInstance(
    id: string,
    options: WriteOptions & { force: boolean; anonymousVolumes: boolean },
  ): Promise<void>;
  pauseInstance(id: string, options: WriteOptions): Promise<void>;
  unpauseInstance(id: string, options: WriteOptions): Promise<void>;
  /** Writes files as one tar into `/` of a container that need not run. */
  putFiles(id: string, files: readonly FileEntry[], options: WriteOptions): Promise<void>;
  /** Runs a command in a running container; output is bounded to 1 MiB a stream. */
  exec(
    id: string,
    command: readonly string[],
    options: WriteOptions & { user?: string; stdin?: string },
  ): Promise<ExecResult>;
  createNetwork(
    intent: NetworkIntent,
    labels: Readonly<Record<string, string>>,
    options: WriteOptions,
  ): Promise<string>;
  removeNetwork(id: string, options: WriteOptions): Promise<void>;
  createVolume(
    intent: VolumeIntent,
    labels: Readonly<Record<string, string>>,
    options: WriteOptions,
  ): Promise<void>;
  removeVolume(name: string, options: WriteOptions): Promise<void>;
  pullImage(
    reference: string,
    options: WriteOptions & { platform?: string; onProgress?: (line: string) => void },
  ): Promise<void>;
  tagImage(reference: string, tag: string, options: WriteOptions): Promise<void>;
  removeImage(reference: string, options: WriteOptions & { force?: boolean }): Promise<void>;
  /** `docker load`: a stream of a tar; returns the loaded references. */
  loadImage(tar: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<readonly string[]>;
  /** `docker import`: a root file system as a tar, with Dockerfile instructions such as `CMD ["/bin/x"]`. */
  importImage(
    tar: AsyncIterable<Uint8Array>,
    options: WriteOptions & { reference: string; changes?: readonly string[] },
  ): Promise<void>;
  /** Builds from a context tar with the engine's classic builder; yields its output; throws FL0314 `build-failed` with the last lines. */
  buildImage(
    context: AsyncIterable<Uint8Array>,
    options: WriteOptions & {
      tags: readonly string[];
      dockerfile: string;
      buildArgs: Readonly<Record<string, string>>;
      labels: Readonly<Record<string, string>>;
      target?: string;
      network?: string;
      platform?: string;
      cacheFrom?: readonly string[];
      extraHosts?: readonly string[];
      shmSizeBytes?: number;
      noCache?: boolean;
      pull?: boolean;
      onProgress?: (line: string) => void;
    },
  ): Promise<void>;
}
