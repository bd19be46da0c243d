// SPDX-License-Identifier: Apache-2.0
// A real node without an engine as a process of the test, which may be stopped, killed and started again.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { NODE_PROCESS_FLAGS, withCompileCache } from "#config/process-flags.ts";
import { askSocket } from "#lab/rig.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MAIN = join(ROOT, "src/main.ts");
/** So much of its log is told when it does not start. */
const LOG_LENGTH_MAX = 20_000;

export interface NodeProcess {
  /** Path of its socket. */
  readonly socket: string;
  /** Resolves once it answers. Throws with its log when it ends before. */
  start(): Promise<void>;
  /** Resolves when it has ended, also when it had before; a pause ends nothing. */
  signal(signal: NodeJS.Signals): Promise<void>;
  ask<T>(path: string): Promise<{ readonly status: number; readonly body: T }>;
  cli(...args: readonly string[]): { readonly code: number; readonly text: string };
}

/** Describes a node whose state lies in `place`; it does not run yet. */
export function createNodeProcess(
  place: string,
  more: Readonly<Record<string, string>> = {},
): NodeProcess {
  const socket = join(place, "fairlead.sock");
  const env: NodeJS.ProcessEnv = {
    ...withCompileCache(process.env, ROOT),
    FAIRLEAD_STATE_DIR: join(place, "state"),
    FAIRLEAD_SOCKET: socket,
    FAIRLEAD_LISTEN: "off",
    FAIRLEAD_ENGINE_ENDPOINT: `unix://${place}/no-engine.sock`,
    NO_COLOR: "1",
    ...more,
  };
  let child: ChildProcess | undefined;
  return {
    socket,
    async start() {
      const started = spawn(process.execPath, [...NODE_PROCESS_FLAGS, MAIN, "node"], {
        env,
        stdio: ["ignore", "ignore", "pipe", "ipc"],
      });
      child = started;
      let log = "";
      started.stderr
        ?.setEncoding("utf8")
        .on("data", (text: string) => (log = (log + text).slice(-LOG_LENGTH_MAX)));
      await new Promise<void>((resolve, reject) => {
        started.once("message", () => resolve());
        started.once("exit", (code) => reject(new Error(`the node ended with ${code}: ${log}`)));
      });
    },
    async signal(signal) {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill(signal);
      if (signal !== "SIGSTOP" && signal !== "SIGCONT") await ended;
    },
    ask: (path) => askSocket(socket, path),
    cli(...args) {
      const ended = spawnSync(process.execPath, [MAIN, ...args], { env, encoding: "utf8" });
      return { code: ended.status ?? -1, text: ended.stdout + ended.stderr };
    },
  };
}
