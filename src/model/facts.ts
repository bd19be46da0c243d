// SPDX-License-Identifier: Apache-2.0
// Facts: what is observed on the engine, at one moment. Plain data; brain reads it, control makes it.
import type { NodeTraits } from "./constraint.ts";

/** Labels that Fairlead writes on what it makes. Users' keys are `fairlead.*`; these are the node's own. */
export const OWN_LABELS = {
  scope: "io.fairlead.scope",
  service: "io.fairlead.service",
  slot: "io.fairlead.slot",
  hash: "io.fairlead.hash",
  /** On networks that span hosts: that they do. */
  overlay: "io.fairlead.overlay",
  /** On networks and volumes: their key in the intent. */
  key: "io.fairlead.key",
  /**
   * On containers that one call of the engine cannot make whole: the name they bear until they are. The engine changes
   * labels never and a name at once, so a container is unfinished exactly while it still has that name.
   */
  madeAs: "io.fairlead.made-as",
  /** On containers that see something of their node: which place is theirs (`control/identity/places.ts`). */
  place: "io.fairlead.place",
  /** On containers that an agent made through its guarded Docker API: `scope/service` of the agent. */
  agent: "io.fairlead.agent",
} as const;

/** Labels of Docker Compose, written too so that its own tools keep working, and read to adopt. */
export const COMPOSE_LABELS = {
  project: "com.docker.compose.project",
  service: "com.docker.compose.service",
  number: "com.docker.compose.container-number",
  oneoff: "com.docker.compose.oneoff",
  network: "com.docker.compose.network",
  volume: "com.docker.compose.volume",
  workingDir: "com.docker.compose.project.working_dir",
  configFiles: "com.docker.compose.project.config_files",
} as const;

/** The engine's words for what a container does. */
export type InstanceState =
  | "created"
  | "running"
  | "paused"
  | "restarting"
  | "removing"
  | "exited"
  | "dead";

/** What the health check says; `none` without one, and while the container does not run. */
export type InstanceHealth = "none" | "starting" | "healthy" | "unhealthy";

/** One container. Times are the engine's wall clock in milliseconds. */
export interface InstanceFact {
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  /** From io.fairlead.scope, else the Compose project; empty for a container of neither. */
  readonly scope: string;
  readonly service: string;
  /** 1-based number within the service. */
  readonly slot: number;
  /** io.fairlead.hash; undefined for a container that Fairlead did not make. */
  readonly hash: string | undefined;
  readonly oneoff: boolean;
  readonly image: string;
  readonly imageId: string;
  readonly state: InstanceState;
  readonly health: InstanceHealth;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** The engine's own message when a start failed. */
  readonly error: string;
  readonly createdAtMs: number;
  /** 0 when it never started. */
  readonly startedAtMs: number;
  /** 0 when it never ended. */
  readonly finishedAtMs: number;
  /** Process id of its first process on the engine's host; absent while it does not run. */
  readonly pid?: number;
  /** The engine's own restart policy: no, always, on-failure, unless-stopped. */
  readonly engineRestart: string;
  /** Id of the container whose network namespace it shares. */
  readonly networkFrom: string | undefined;
  readonly pidFrom: string | undefined;
  readonly ipcFrom: string | undefined;
  /** Its volumes that nobody named; whoever takes its place gets them. */
  readonly anonymousVolumes: readonly AnonymousVolume[];
  readonly labels: Readonly<Record<string, string>>;
  /** Network name to IPv4 address (empty while not running). */
  readonly addresses: Readonly<Record<string, string>>;
  /** The same with MAC and all addresses, of networks where it has them now. */
  readonly endpoints?: Readonly<
    Record<string, { readonly mac: string; readonly addresses: readonly string[] }>
  >;
  readonly ports: readonly {
    readonly hostIp: string;
    readonly hostPort: number;
    readonly containerPort: number;
    readonly protocol: string;
  }[];
}

/** A volume that nobody named: the name that the engine gave it, and where its container has it. */
export interface AnonymousVolume {
  readonly name: string;
  readonly target: string;
}

/** A network as the engine lists it. */
export interface NetworkFact {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of its driver; absent where it has none. */
  readonly options?: Readonly<Record<string, string>>;
}

/** A volume as the engine lists it. */
export interface VolumeFact {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A consistent picture of one engine. */
export interface Facts {
  readonly asOfMs: number;
  /**
   * The last time the engine was away and came back as another process; what ended in it ended with the engine, not by
   * a fault of its own.
   */
  readonly engineGap: { readonly fromMs: number; readonly toMs: number } | undefined;
  /** What the host of the engine is and has; undefined until the engine has said it. */
  readonly node: NodeTraits | undefined;
  readonly instances: readonly InstanceFact[];
  readonly networks: readonly NetworkFact[];
  readonly volumes: readonly VolumeFact[];
  /** Images that are known to be present: reference or id to id; the id is empty where it is not known yet. */
  readonly images: ReadonlyMap<string, string>;
}
