// SPDX-License-Identifier: Apache-2.0
// A real Docker Engine as one host: in a network namespace and a mount namespace of its own, so that it touches neither
// the machine's firewall nor its engine. Needs root, dockerd, iproute2.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, openSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openLedger, signalProcess, type Ledger } from "./ledger.ts";

export interface LabEngine extends AsyncDisposable {
  readonly name: string;
  readonly socketPath: string;
  /** `unix:///…`, as Fairlead and DOCKER_HOST take it. */
  readonly endpoint: string;
  /** Network namespace, as `ip netns` knows it. */
  readonly netns: string;
  readonly dataRoot: string;
  /** Process id of dockerd. */
  pid(): number;
  /** SIGTERM, as an administrator would; containers end unless live-restore is on. */
  stop(): Promise<void>;
  /** SIGKILL to dockerd alone; containers and their shims stay. */
  kill(): Promise<void>;
  /** Starts it again after stop or kill; resolves once it answers. */
  start(): Promise<void>;
  /** SIGSTOP and SIGCONT to dockerd: it hangs. */
  pause(): void;
  resume(): void;
}

export interface LabEngineOptions {
  readonly name?: string;
  readonly liveRestore?: boolean;
  /** Directory for the engine's data, for example a small disk; default in the lab's own. */
  readonly dataRoot?: string;
  /** A namespace that exists already; default one of its own with only loopback. */
  readonly netns?: string;
  readonly ledger?: Ledger;
}

const READY_MS = 60_000;
/** The script is constant; its values come as arguments. */
const LAUNCH = 'mount -t tmpfs tmpfs /run && exec dockerd "$@"';

function run(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}

function ping(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = request({ socketPath, path: "/_ping", timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    sent.on("timeout", () => sent.destroy());
    sent.on("error", () => resolve(false)).end();
  });
}

function createNamespace(ledger: Ledger, name: string): void {
  ledger.noteNamespace(name);
  run("ip", ["netns", "add", name]);
  run("ip", ["-n", name, "link", "set", "lo", "up"]);
}

/** Starts one and waits until it answers. Dispose of it to remove all it had. */
export async function startEngine(options: LabEngineOptions = {}): Promise<LabEngine> {
  const ledger = options.ledger ?? openLedger();
  const name = options.name ?? "e1";
  const netns = options.netns ?? `${ledger.tag}-${name}`;
  const directory = join(ledger.directory, name);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const socketPath = join(directory, "docker.sock");
  const dataRoot = options.dataRoot ?? join(directory, "data");
  let child: ChildProcess | undefined;

  function launch(): ChildProcess {
    const log = openSync(join(directory, "engine.log"), "a");
    const flags = [
      `--data-root=${dataRoot}`,
      `--exec-root=${join(directory, "exec")}`,
      `--host=unix://${socketPath}`,
      `--pidfile=${join(directory, "docker.pid")}`,
      `--cgroup-parent=/${ledger.tag}-${name}`,
      ...(options.liveRestore === true ? ["--live-restore"] : []),
    ];
    const args = [
      `--net=/run/netns/${netns}`,
      "unshare",
      "-m",
      "sh",
      "-c",
      LAUNCH,
      "dockerd",
      ...flags,
    ];
    const started = spawn("nsenter", args, { stdio: ["ignore", log, log], detached: true });
    if (started.pid !== undefined) ledger.noteProcess(started.pid);
    return started;
  }

  async function start(): Promise<void> {
    const launched = launch();
    child = launched;
    const giveUp = performance.now() + READY_MS;
    while (!(await ping(socketPath))) {
      if (launched.exitCode !== null)
        throw new Error(`dockerd ended with ${launched.exitCode}; see ${directory}/engine.log`);
      if (performance.now() > giveUp)
        throw new Error(`dockerd does not answer; see ${directory}/engine.log`);
      await sleep(50);
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ended = child;
    if (ended?.pid === undefined || ended.exitCode !== null || ended.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => ended.once("exit", () => resolve()));
    process.kill(ended.pid, signal);
    await gone;
  }

  function pid(): number {
    if (child?.pid === undefined) throw new Error("the engine does not run");
    return child.pid;
  }

  if (options.netns === undefined) createNamespace(ledger, netns);
  try {
    await start();
  } catch (error) {
    ledger.clear();
    throw error;
  }
  return {
    name,
    socketPath,
    endpoint: `unix://${socketPath}`,
    netns,
    dataRoot,
    pid,
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    start,
    pause: () => void process.kill(pid(), "SIGSTOP"),
    resume: () => void process.kill(pid(), "SIGCONT"),
    async [Symbol.asyncDispose]() {
      if (child?.pid !== undefined) signalProcess(ledger.noteProcess(child.pid), "SIGCONT");
      await end("SIGKILL");
      if (options.ledger === undefined) ledger.clear();
    },
  };
}
