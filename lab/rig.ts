// SPDX-License-Identifier: Apache-2.0
// A real engine, a real node process and the CLI, for tests and benchmarks of the whole.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { NODE_PROCESS_FLAGS, withCompileCache } from "#config/process-flags.ts";
import type { Engine } from "#engine/engine.ts";
import { openEngine } from "#engine/open.ts";
import { createSystemClock } from "#node/system-clock.ts";
import { startEngine, type LabEngine, type LabEngineOptions } from "./engine.ts";
import { importBusybox } from "./images.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MAIN = `${ROOT}src/main.ts`;
/** The image every rig has: busybox that sleeps. */
export const IMAGE = "busybox:lab";

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Rig extends AsyncDisposable {
  readonly lab: LabEngine;
  /** Straight to the engine, past any witness. */
  readonly engine: Engine;
  readonly directory: string;
  readonly socket: string;
  readonly env: NodeJS.ProcessEnv;
  /** Starts the node process and waits until it answers. */
  startNode(): Promise<void>;
  /** Its pid; throws when it does not run. */
  nodePid(): number;
  /** Ends it with a signal and waits for its end. */
  endNode(signal: NodeJS.Signals): Promise<void>;
  cli(
    args: readonly string[],
    options?: {
      readonly cwd?: string;
      readonly env?: NodeJS.ProcessEnv;
      /** Kills it with -9; its code is -1 then. */
      readonly signal?: AbortSignal;
    },
  ): Promise<CliResult>;
  ask<T>(
    path: string,
    options?: { readonly method?: string; readonly body?: unknown },
  ): Promise<{ readonly status: number; readonly body: T }>;
}

export interface RigOptions extends LabEngineOptions {
  /** What the node is told to talk to, instead of the engine itself. */
  readonly witness?: (lab: LabEngine, directory: string) => Promise<string>;
  readonly stateDir?: string;
  /** Runs the node in the engine's network, where containers can reach it, as on a host of its own. */
  readonly inside?: boolean;
  /** Called with what the node writes to its log. */
  readonly onNodeLog?: (text: string) => void;
  /** Further settings for the node and the commands, as FAIRLEAD_… */
  readonly env?: Readonly<Record<string, string>>;
  /** A program with its arguments that runs the node and each command, and stays out of their way: a tracer. */
  readonly prefix?: readonly string[];
}

function endOf(child: ChildProcess): Promise<number> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  if (child.signalCode !== null) return Promise.resolve(-1);
  return new Promise((resolve) => child.once("exit", (code) => resolve(code ?? -1)));
}

/** Node with its arguments, run by the prefix if there is one. */
function withPrefix(
  prefix: readonly string[] = [],
  args: readonly string[],
): readonly [program: string, args: readonly string[]] {
  const [program = process.execPath, ...rest] = [...prefix, process.execPath, ...args];
  return [program, rest];
}

function runProcess(
  [program, args]: readonly [string, readonly string[]],
  env: NodeJS.ProcessEnv,
  cwd: string,
  signal: AbortSignal | undefined,
): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env,
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    signal?.addEventListener("abort", () => child.kill("SIGKILL"), { once: true });
    child.on("close", (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}

/** Asks over a unix socket, each time anew: the node may have started anew in between. */
export function askSocket<T>(
  socketPath: string,
  path: string,
  options: { readonly method?: string; readonly body?: unknown } = {},
): Promise<{ readonly status: number; readonly body: T }> {
  return new Promise((resolve, reject) => {
    const text = options.body === undefined ? undefined : JSON.stringify(options.body);
    const headers =
      text === undefined
        ? {}
        : { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    const sent = request(
      { socketPath, path: `/v1/${path}`, method: options.method ?? "GET", headers, agent: false },
      (response) => {
        let answer = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk));
        response.on("end", () => {
          try {
            resolve({
              status: response.statusCode ?? 0,
              body: (answer === "" ? undefined : JSON.parse(answer)) as T,
            });
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        });
        response.on("error", reject);
      },
    );
    sent.on("error", reject).end(text);
  });
}

/** Starts the engine with the image in it; the node is started when asked. */
export async function openRig(options: RigOptions = {}): Promise<Rig> {
  const lab = await startEngine(options);
  await importBusybox(lab, IMAGE);
  const directory = mkdtempSync(join(tmpdir(), "fairlead-rig-"));
  const socket = join(directory, "fairlead.sock");
  const endpoint =
    options.witness === undefined ? lab.endpoint : await options.witness(lab, directory);
  const clock = createSystemClock();
  const engine = openEngine({ endpoint: lab.endpoint, env: {} }, { clock, random: Math.random });
  const env: NodeJS.ProcessEnv = {
    ...withCompileCache(process.env, ROOT),
    FAIRLEAD_STATE_DIR: options.stateDir ?? join(directory, "state"),
    FAIRLEAD_SOCKET: socket,
    FAIRLEAD_LISTEN: "off",
    FAIRLEAD_ENGINE_ENDPOINT: endpoint,
    NO_COLOR: "1",
    ...options.env,
  };
  let node: ChildProcess | undefined;

  async function endNode(signal: NodeJS.Signals): Promise<void> {
    if (node === undefined) return;
    node.kill(signal);
    await endOf(node);
    node = undefined;
  }

  return {
    lab,
    engine,
    directory,
    socket,
    env,
    async startNode() {
      const way = options.inside === true ? ["nsenter", `--net=/run/netns/${lab.netns}`] : [];
      const prefix = [...way, ...(options.prefix ?? [])];
      const [program, args] = withPrefix(prefix.length === 0 ? undefined : prefix, [
        ...NODE_PROCESS_FLAGS,
        MAIN,
        "node",
      ]);
      const child = spawn(program, args, {
        env,
        stdio: ["ignore", "ignore", "pipe", "ipc"],
      });
      let log = "";
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        log = (log + text).slice(-20_000);
        options.onNodeLog?.(text);
      });
      node = child;
      await new Promise<void>((resolve, reject) => {
        child.once("message", () => resolve());
        child.once("exit", (code) => reject(new Error(`the node ended with ${code}: ${log}`)));
      });
    },
    nodePid() {
      if (node?.pid === undefined) throw new Error("the node does not run");
      return node.pid;
    },
    endNode,
    cli: (args, more = {}) =>
      runProcess(
        withPrefix(options.prefix, [MAIN, ...args]),
        { ...env, ...more.env },
        more.cwd ?? directory,
        more.signal,
      ),
    ask: (path, more) => askSocket(socket, path, more),
    async [Symbol.asyncDispose]() {
      await endNode("SIGKILL");
      await engine[Symbol.asyncDispose]();
      await lab[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Looks until `test` holds; throws after `maxMs`, saying `what`. */
export async function until(
  what: string,
  maxMs: number,
  test: () => boolean | Promise<boolean>,
  everyMs = 10,
): Promise<void> {
  const giveUp = performance.now() + maxMs;
  while (!(await test())) {
    if (performance.now() > giveUp) throw new Error(`not within ${maxMs} ms: ${what}`);
    await sleep(everyMs);
  }
}
