// SPDX-License-Identifier: Apache-2.0
// A node of a fleet on a host of the lab, in that host's network as on a machine of its own, and the commands against it.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Document } from "yaml";
import { editSettings } from "#config/edit-settings.ts";
import { NODE_PROCESS_FLAGS, withCompileCache } from "#config/process-flags.ts";
import { listSettingPaths, nameVariable } from "#config/setting-paths.ts";
import type { LabHost, PlainHost } from "./hosts.ts";
import { askSocket, type CliResult } from "./rig.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

export interface HostNode<Host extends PlainHost = LabHost> extends AsyncDisposable {
  readonly host: Host;
  /** Variables by which a command or a node has its settings. */
  readonly settings: Readonly<Record<string, string>>;
  /** Where programs on the host join its fabric. */
  readonly fabric: string;
  readonly stateDir: string;
  /** Where its API is. */
  readonly socket: string;
  /** Asks the API. */
  ask<T>(path: string): Promise<{ readonly status: number; readonly body: T }>;
  /** Runs a command in a directory of the host's own. */
  cli(...args: readonly string[]): Promise<CliResult>;
  /** Writes a Compose file and returns its path. */
  file(text: string): string;
  /** The last that the node has logged. */
  readLog(): string;
  /** Its process, the last that was started. */
  pid(): number;
  /** Has the host run the sources of another directory from now on: commands at once, the node when it is started. */
  install(root: string): void;
  /** Sends a signal; returns once the process has ended, if that ends it. */
  signal(signal: "SIGSTOP" | "SIGCONT" | "SIGKILL" | "SIGTERM"): Promise<void>;
  /** Starts it again on its state, with settings besides those it had, and with programs that run it; resolves when it answers. */
  start(more?: Readonly<Record<string, string>>, prefix?: readonly string[]): Promise<void>;
}

export interface HostNodeOptions {
  /** One that is not there yet, for all that it keeps, for example in a lab's; default a temporary one. */
  readonly directory?: string;
  /** A directory for its state, for example a small disk; default one of its own. */
  readonly stateDir?: string;
  /** Whether its settings stand in a file, as after `fairlead join`, so that it can leave. */
  readonly hasFile?: boolean;
  /** Directory whose sources the host runs; default these. */
  readonly root?: string;
}

/** A settings file of these variables; those of the fleet and its store are marked as `fairlead join` marks them. */
function writeSettings(path: string, settings: Readonly<Record<string, string>>): void {
  const all = listSettingPaths().flatMap((one): (readonly [string, string])[] => {
    const value = settings[nameVariable(one)];
    return value === undefined ? [] : [[one, value]];
  });
  const isJoined = ([one]: readonly [string, string]): boolean => /^(?:store|fleet)\./.test(one);
  const document = new Document({ version: 1 });
  for (const [one, value] of all.filter((entry) => !isJoined(entry)))
    document.setIn(one.split("."), value);
  const joined = Object.fromEntries(all.filter(isJoined));
  writeFileSync(path, editSettings(document.toString(), joined));
}

const findMain = (root = ROOT): string => join(root, "src/main.ts");

/** Starts the node of a host; it answers once this resolves. */
export async function startHostNode<Host extends PlainHost>(
  host: Host,
  settings: Readonly<Record<string, string>>,
  options: HostNodeOptions = {},
): Promise<HostNode<Host>> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), "fairlead-host-"));
  const project = join(directory, "project");
  mkdirSync(project, { recursive: true });
  const socket = join(directory, "fairlead.sock");
  const own = {
    FAIRLEAD_STATE_DIR: options.stateDir ?? join(directory, "state"),
    FAIRLEAD_SOCKET: socket,
    FAIRLEAD_LISTEN: "off",
    FAIRLEAD_NODE_NAME: host.name,
    FAIRLEAD_ENGINE_ENDPOINT: host.endpoint,
    ...settings,
  };
  const config = join(directory, "fairlead.yaml");
  if (options.hasFile === true) writeSettings(config, own);
  const named =
    options.hasFile === true ? { FAIRLEAD_CONFIG: config, FAIRLEAD_SOCKET: socket } : own;
  const env: NodeJS.ProcessEnv = {
    ...withCompileCache(process.env, ROOT),
    NO_COLOR: "1",
    ...named,
  };
  let log = "";
  let child: ChildProcess | undefined;
  let main = findMain(options.root);

  async function start(
    more: Readonly<Record<string, string>> = {},
    prefix: readonly string[] = [],
  ): Promise<void> {
    const inside = [`--net=/run/netns/${host.netns}`, ...prefix, process.execPath];
    const args = [...inside, ...NODE_PROCESS_FLAGS, main, "node"];
    const started = spawn("nsenter", args, {
      env: { ...env, ...more },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    child = started;
    started.stderr
      ?.setEncoding("utf8")
      .on("data", (text: string) => (log = (log + text).slice(-20_000)));
    await new Promise<void>((resolve, reject) => {
      started.once("message", () => resolve());
      started.once("exit", (code) => reject(new Error(`${host.name} ended with ${code}: ${log}`)));
    });
  }

  async function signal(sent: NodeJS.Signals): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const isEnd = sent === "SIGKILL" || sent === "SIGTERM";
    const ended = isEnd ? once(child, "exit") : undefined;
    child.kill(sent);
    await ended;
  }

  await start();
  return {
    host,
    settings: named,
    stateDir: join(directory, "state"),
    fabric: `unix:${join(directory, "fabric", "fabric.sock")}`,
    socket,
    ask: (path) => askSocket(socket, path),
    cli: (...words) => runCli(main, words, { env, cwd: project }),
    file(text) {
      writeFileSync(join(project, "compose.yaml"), text);
      return join(project, "compose.yaml");
    },
    readLog: () => log,
    pid() {
      if (child?.pid === undefined) throw new Error(`no node was started on ${host.name}`);
      return child.pid;
    },
    install: (root) => void (main = findMain(root)),
    signal,
    start,
    async [Symbol.asyncDispose]() {
      await signal("SIGKILL");
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function runCli(
  main: string,
  words: readonly string[],
  of: { readonly env: NodeJS.ProcessEnv; readonly cwd: string },
): Promise<CliResult> {
  const child: ChildProcess = spawn(process.execPath, [main, ...words], {
    ...of,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code: code ?? -1, stdout, stderr };
}
