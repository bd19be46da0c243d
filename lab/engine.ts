// SPDX-License-Identifier: Apache-2.0
// A real Docker Engine as one host: in a network namespace and a mount namespace of its own, so that it touches neither
// the machine's firewall nor its engine. Needs root, dockerd, iproute2.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openLedger, readStartTicks, signalProcess, type Ledger } from "./ledger.ts";

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
/**
 * Holds the mount namespace, so that an engine which is started again finds the sockets of the shims that lived on.
 * The script is constant.
 */
const HOLD = "mount -t tmpfs tmpfs /run && echo ready && exec sleep infinity";

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
  let holder: ChildProcess | undefined;

  async function hold(): Promise<ChildProcess> {
    const args = [`--net=/run/netns/${netns}`, "unshare", "-m", "sh", "-c", HOLD];
    const holding = spawn("nsenter", args, { stdio: ["ignore", "pipe", "ignore"], detached: true });
    if (holding.pid !== undefined) ledger.noteProcess(holding.pid);
    await new Promise((resolve, reject) => {
      holding.stdout.once("data", resolve);
      holding.once("exit", (code) => reject(new Error(`no namespace of its own: ${code}`)));
    });
    return holding;
  }

  function launch(holderPid: number): ChildProcess {
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
      `--mount=/proc/${holderPid}/ns/mnt`,
      "dockerd",
      ...flags,
    ];
    const started = spawn("nsenter", args, { stdio: ["ignore", log, log], detached: true });
    if (started.pid !== undefined) ledger.noteProcess(started.pid);
    return started;
  }

  async function start(): Promise<void> {
    holder ??= await hold();
    const launched = launch(holder.pid ?? 0);
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
    await awaitContainerdEnd();
  }

  /** The engine's containerd dies with it, a moment later; an engine that starts in between waits for it in vain. */
  async function awaitContainerdEnd(): Promise<void> {
    const file = join(directory, "exec/containerd/containerd.pid");
    if (!existsSync(file)) return;
    const containerd = Number(readFileSync(file, "utf8"));
    while (readStartTicks(containerd) !== undefined) await sleep(10);
    // Where nobody reaps it, the dead one still counts as alive for the engine's own test.
    rmSync(file, { force: true });
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
      holder?.kill("SIGKILL");
      if (options.ledger === undefined) ledger.clear();
    },
  };
}
