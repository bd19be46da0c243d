// SPDX-License-Identifier: Apache-2.0
// A real node without an engine: agents join it all the same, and it is up again in a moment after a kill.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { NODE_PROCESS_FLAGS, withCompileCache } from "#config/process-flags.ts";
import { askSocket } from "#lab/rig.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface BareNode extends AsyncDisposable {
  readonly directory: string;
  /** Path of the socket where agents join. */
  readonly fabricSocket: string;
  ask<T>(path: string): Promise<{ readonly status: number; readonly body: T }>;
  /** Kills it with -9 and starts it again on the same state; resolves once it answers. */
  killAndRestart(): Promise<void>;
}

/** Starts one with a state of its own. */
export async function openBareNode(): Promise<BareNode> {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-bare-"));
  const socket = join(directory, "fairlead.sock");
  const env = {
    ...withCompileCache(process.env, ROOT),
    FAIRLEAD_STATE_DIR: join(directory, "state"),
    FAIRLEAD_SOCKET: socket,
    FAIRLEAD_LISTEN: "off",
    FAIRLEAD_ENGINE_ENDPOINT: `unix://${directory}/no-engine.sock`,
  };
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const args = [...NODE_PROCESS_FLAGS, `${ROOT}src/main.ts`, "node"];
    const started = spawn(process.execPath, args, {
      env,
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    child = started;
    let log = "";
    started.stderr
      ?.setEncoding("utf8")
      .on("data", (text: string) => (log = (log + text).slice(-20_000)));
    await new Promise<void>((resolve, reject) => {
      started.once("message", () => resolve());
      started.once("exit", (code) => reject(new Error(`the node ended with ${code}: ${log}`)));
    });
  }

  async function kill(): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  await start();
  return {
    directory,
    fabricSocket: join(directory, "fabric", "fabric.sock"),
    ask: (path) => askSocket(socket, path),
    async killAndRestart() {
      await kill();
      await start();
    },
    async [Symbol.asyncDispose]() {
      await kill();
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
