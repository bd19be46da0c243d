// SPDX-License-Identifier: Apache-2.0
// A node of a fleet on a host of the lab, in that host's network as on a machine of its own, and the commands against it.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { NODE_PROCESS_FLAGS, withCompileCache } from "#config/process-flags.ts";
import type { LabHost } from "#lab/hosts.ts";
import { askSocket, type CliResult } from "#lab/rig.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MAIN = join(ROOT, "src/main.ts");

export interface HostNode extends AsyncDisposable {
  readonly host: LabHost;
  ask<T>(path: string): Promise<{ readonly status: number; readonly body: T }>;
  /** Runs a command in a directory of the host's own. */
  cli(...args: readonly string[]): Promise<CliResult>;
  /** Writes a Compose file and returns its path. */
  file(text: string): string;
  /** The last that the node has logged. */
  readLog(): string;
}

/** Starts the node of a host; it answers once this resolves. */
export async function startHostNode(
  host: LabHost,
  settings: Readonly<Record<string, string>>,
): Promise<HostNode> {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-host-"));
  const project = join(directory, "project");
  mkdirSync(project);
  const socket = join(directory, "fairlead.sock");
  const env: NodeJS.ProcessEnv = {
    ...withCompileCache(process.env, ROOT),
    FAIRLEAD_STATE_DIR: join(directory, "state"),
    FAIRLEAD_SOCKET: socket,
    FAIRLEAD_LISTEN: "off",
    FAIRLEAD_NODE_NAME: host.name,
    FAIRLEAD_ENGINE_ENDPOINT: host.endpoint,
    NO_COLOR: "1",
    ...settings,
  };
  const inside = [`--net=/run/netns/${host.netns}`, process.execPath];
  const args = [...inside, ...NODE_PROCESS_FLAGS, MAIN, "node"];
  const child = spawn("nsenter", args, { env, stdio: ["ignore", "ignore", "pipe", "ipc"] });
  let log = "";
  child.stderr
    ?.setEncoding("utf8")
    .on("data", (text: string) => (log = (log + text).slice(-20_000)));
  async function end(): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
  await new Promise<void>((resolve, reject) => {
    child.once("message", () => resolve());
    child.once("exit", (code) => reject(new Error(`${host.name} ended with ${code}: ${log}`)));
  });
  return {
    host,
    ask: (path) => askSocket(socket, path),
    cli: (...words) => runCli(words, env, project),
    file(text) {
      writeFileSync(join(project, "compose.yaml"), text);
      return join(project, "compose.yaml");
    },
    readLog: () => log,
    [Symbol.asyncDispose]: end,
  };
}

async function runCli(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd: string,
): Promise<CliResult> {
  const child: ChildProcess = spawn(process.execPath, [MAIN, ...words], {
    env,
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code: code ?? -1, stdout, stderr };
}
