// SPDX-License-Identifier: Apache-2.0
// The process of a lab's engine: started, ended, killed, started again, always in the same namespaces.
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, openSync, closeSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isStopped, readStartTicks, signalProcess, type Ledger } from "./ledger.ts";

/** Where an engine lives. */
export interface EnginePlace {
  readonly name: string;
  readonly ledger: Ledger;
  /** Of the engine alone: socket, log, run-time state. */
  readonly directory: string;
  readonly socketPath: string;
  readonly dataRoot: string;
  readonly netns: string;
  readonly flags: readonly string[];
}

const READY_MS = 60_000;
const POLL_MS = 20;
const PAUSE_MS = 5_000;
const NEVER = new Int32Array(new SharedArrayBuffer(4));
/**
 * Holds the mount namespace, so that an engine which is started again finds the sockets of the shims that lived on.
 * The script is constant.
 */
const HOLD = "mount -t tmpfs tmpfs /run && echo ready && exec sleep infinity";

/** True when the engine at the socket answers; false when nobody does within 2 s. */
function pingEngine(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = request({ socketPath, path: "/_ping", timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    sent.on("timeout", () => sent.destroy());
    sent.on("error", () => resolve(false)).end();
  });
}

/** One engine's dockerd. */
export class Dockerd {
  readonly #place: EnginePlace;
  #child: ChildProcess | undefined;
  #holder: ChildProcess | undefined;

  constructor(place: EnginePlace) {
    this.#place = place;
  }

  /** Process id of dockerd. */
  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error("the engine does not run");
    return this.#child.pid;
  }

  /** Starts it; resolves once it answers. */
  async start(): Promise<void> {
    this.#holder ??= await this.#hold();
    const launched = this.#launch(this.#holder.pid ?? 0);
    this.#child = launched;
    const log = join(this.#place.directory, "engine.log");
    const giveUp = performance.now() + READY_MS;
    while (!(await pingEngine(this.#place.socketPath))) {
      if (launched.exitCode !== null)
        throw new Error(`dockerd ended with ${launched.exitCode}: ${readFileSync(log, "utf8")}`);
      if (performance.now() > giveUp) throw new Error(`dockerd does not answer; see ${log}`);
      await sleep(POLL_MS);
    }
  }

  /** Ends dockerd by a signal and waits until it and its containerd are gone; containers may stay. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const ended = this.#child;
    if (ended?.pid === undefined || ended.exitCode !== null || ended.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => ended.once("exit", () => resolve()));
    ended.kill(signal);
    await gone;
    await this.#awaitContainerdEnd();
  }

  /** Stops all of its threads; it answers nothing once this returns. */
  pause(): void {
    process.kill(this.pid, "SIGSTOP");
    const giveUp = performance.now() + PAUSE_MS;
    while (!isStopped(this.pid)) {
      if (performance.now() > giveUp) throw new Error("dockerd does not stop");
      Atomics.wait(NEVER, 0, 0, 1);
    }
  }

  /** Kills it even when paused, and gives up its mount namespace. */
  async dispose(): Promise<void> {
    const pid = this.#child?.pid;
    if (pid !== undefined) signalProcess({ pid, startTicks: readStartTicks(pid) ?? "" }, "SIGCONT");
    await this.end("SIGKILL");
    this.#holder?.kill("SIGKILL");
  }

  async #hold(): Promise<ChildProcess> {
    const { netns, ledger } = this.#place;
    const args = [`--net=/run/netns/${netns}`, "unshare", "-m", "sh", "-c", HOLD];
    const holding = spawn("nsenter", args, { stdio: ["ignore", "pipe", "ignore"], detached: true });
    if (holding.pid !== undefined) ledger.noteProcess(holding.pid);
    await new Promise((resolve, reject) => {
      holding.stdout.once("data", resolve);
      holding.once("exit", (code) => reject(new Error(`no namespace of its own: ${code}`)));
      holding.once("error", reject);
    });
    return holding;
  }

  #launch(holderPid: number): ChildProcess {
    const { directory, dataRoot, socketPath, netns, ledger, name, flags } = this.#place;
    const log = openSync(join(directory, "engine.log"), "a");
    const args = [
      `--net=/run/netns/${netns}`,
      `--mount=/proc/${holderPid}/ns/mnt`,
      "dockerd",
      `--data-root=${dataRoot}`,
      `--exec-root=${join(directory, "exec")}`,
      `--host=unix://${socketPath}`,
      `--pidfile=${join(directory, "docker.pid")}`,
      `--cgroup-parent=/${ledger.tag}-${name}`,
      ...flags,
    ];
    const started = spawn("nsenter", args, { stdio: ["ignore", log, log], detached: true });
    closeSync(log);
    if (started.pid !== undefined) ledger.noteProcess(started.pid);
    return started;
  }

  /** The engine's containerd dies with it, a moment later; an engine that starts in between waits for it in vain. */
  async #awaitContainerdEnd(): Promise<void> {
    const file = join(this.#place.directory, "exec/containerd/containerd.pid");
    if (!existsSync(file)) return;
    const containerd = Number(readFileSync(file, "utf8"));
    while (readStartTicks(containerd) !== undefined) await sleep(10);
    // Where nobody reaps it, the dead one still counts as alive for the engine's own test.
    rmSync(file, { force: true });
  }
}
