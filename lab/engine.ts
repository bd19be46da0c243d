// SPDX-License-Identifier: Apache-2.0
// A real Docker Engine as one host: in a network namespace and a mount namespace of its own, so that it touches neither
// the machine's firewall nor its engine. Needs root, dockerd, iproute2.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Dockerd } from "./dockerd.ts";
import { openLedger, type Ledger } from "./ledger.ts";
import { runProgram } from "./run-program.ts";

/** One engine of a lab. Disposing removes it with all that it has: containers, networks, data, processes. */
export interface LabEngine extends AsyncDisposable {
  readonly name: string;
  readonly socketPath: string;
  /** `unix:///…`, as Fairlead and DOCKER_HOST take it. */
  readonly endpoint: string;
  /** Network namespace, as `ip netns` knows it. */
  readonly netns: string;
  readonly dataRoot: string;
  /** Control group that holds its containers, `/fl3k9a2b-e1`. */
  readonly cgroup: string;
  /** Process id of dockerd. */
  pid(): number;
  /** SIGTERM, as an administrator would; containers end unless live-restore is on. */
  stop(): Promise<void>;
  /** SIGKILL to dockerd alone; containers and their shims stay. */
  kill(): Promise<void>;
  /** Starts it again after stop or kill; resolves once it answers. */
  start(): Promise<void>;
  /** SIGSTOP to dockerd: it hangs from when this returns. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
}

/** What may be chosen about an engine. */
export interface LabEngineOptions {
  /** Short, for names of namespaces and control groups; default `e1`. */
  readonly name?: string;
  readonly liveRestore?: boolean;
  /** Directory for the engine's data, for example a small disk; default in the lab's own. */
  readonly dataRoot?: string;
  /** A namespace that exists already; default one of its own with only loopback. */
  readonly netns?: string;
  /** The lab that the engine is part of; default one of its own, removed with the engine. */
  readonly ledger?: Ledger;
  /** Further flags of dockerd. */
  readonly flags?: readonly string[];
}

/** Makes a network namespace with loopback up. */
export function createNamespace(ledger: Ledger, name: string): void {
  ledger.noteNamespace(name);
  runProgram("ip", ["netns", "add", name]);
  runProgram("ip", ["-n", name, "link", "set", "lo", "up"]);
}

/** Starts one and waits until it answers. Dispose of it to remove all it had. */
export async function startEngine(options: LabEngineOptions = {}): Promise<LabEngine> {
  const ledger = options.ledger ?? openLedger();
  const clear = (): void => (options.ledger === undefined ? ledger.clear() : undefined);
  const name = options.name ?? "e1";
  const netns = options.netns ?? `${ledger.tag}-${name}`;
  const directory = join(ledger.directory, name);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const socketPath = join(directory, "docker.sock");
  const dataRoot = options.dataRoot ?? join(directory, "data");
  const flags = [
    ...(options.liveRestore === true ? ["--live-restore"] : []),
    ...(options.flags ?? []),
  ];
  const dockerd = new Dockerd({ name, ledger, directory, socketPath, dataRoot, netns, flags });
  try {
    if (options.netns === undefined) createNamespace(ledger, netns);
    await dockerd.start();
  } catch (error) {
    await dockerd.dispose();
    clear();
    throw error;
  }
  return {
    name,
    socketPath,
    endpoint: `unix://${socketPath}`,
    netns,
    dataRoot,
    cgroup: `/${ledger.tag}-${name}`,
    pid: () => dockerd.pid,
    stop: () => dockerd.end("SIGTERM"),
    kill: () => dockerd.end("SIGKILL"),
    start: () => dockerd.start(),
    pause: () => dockerd.pause(),
    resume: () => void process.kill(dockerd.pid, "SIGCONT"),
    async [Symbol.asyncDispose]() {
      await dockerd.dispose();
      clear();
    },
  };
}
