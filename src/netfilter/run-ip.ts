// SPDX-License-Identifier: Apache-2.0
// Debian's iproute2: `ip` and `bridge`, which read a batch of commands from stdin and answer in JSON. No shell.
import { spawn } from "node:child_process";
import { FairleadError } from "#base/errors.ts";
import { netfilterErrors } from "./errors.ts";

const PATIENCE_MS = 10_000;
/** Ten thousand entries are two megabytes. */
const OUTPUT_BYTES_MAX = 64 * 1_048_576;
const COMPLAINT_MAX = 2_000;

/** How a program ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the programs of one host. */
export interface IpRunner {
  /** Runs any other program; it, and what it leaves running, is in a session of its own. Throws FL1305 `ip-tools`. */
  run(command: readonly string[], input?: string, signal?: AbortSignal): Promise<Ended>;
  /** What a question was answered, as JSON. Throws FL1305 `ip-tools`, FL1306 `ip-refused`. */
  ask(program: "ip" | "bridge", args: readonly string[], signal?: AbortSignal): Promise<unknown>;
  /**
   * Runs each command whether or not those before it worked. Returns what was complained of; empty when all worked. Of lines
   * that are yet to come the program waits for them, so that they are done at once.
   */
  batch(
    program: "ip" | "bridge",
    lines: readonly string[] | Promise<readonly string[]>,
    signal?: AbortSignal,
  ): Promise<string>;
}

function run(
  [program = "", ...args]: readonly string[],
  input: string | Promise<string>,
  signal: AbortSignal | undefined,
  detached = false,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void =>
      reject(new FairleadError(netfilterErrors["ip-tools"], `${program} cannot be run`, { cause }));
    const child = spawn(program, args, {
      timeout: PATIENCE_MS,
      detached,
      // wireguard-go would keep these pipes to log into.
      env: { ...process.env, LC_ALL: "C", LOG_LEVEL: undefined },
      ...(signal === undefined ? {} : { signal }),
    });
    const stdout: Buffer[] = [];
    let size = 0;
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > OUTPUT_BYTES_MAX) child.kill("SIGKILL");
      else stdout.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      if (stderr.length < COMPLAINT_MAX) stderr += chunk.toString();
    });
    child.on("error", (thrown) =>
      signal?.aborted === true ? reject(signal.reason) : fail(thrown),
    );
    child.on("close", (code) =>
      resolve({
        code: code ?? -1,
        stdout: Buffer.concat(stdout).toString(),
        stderr: stderr.trim(),
      }),
    );
    // It may have ended before it read.
    child.stdin.on("error", () => undefined);
    Promise.resolve(input).then(
      (text) => child.stdin.end(text),
      () => child.stdin.end(),
    );
  });
}

/** For this host, or for another network namespace of it that a path names. */
export function createIpRunner(netns?: string): IpRunner {
  const prefix = netns === undefined ? [] : ["nsenter", `--net=${netns}`];
  return {
    run: (command, input = "", signal) => run([...prefix, ...command], input, signal, true),
    async ask(program, args, signal) {
      const { code, stdout, stderr } = await run([...prefix, program, "-j", ...args], "", signal);
      if (code !== 0)
        throw new FairleadError(
          netfilterErrors["ip-refused"],
          `${program} ${args.join(" ")} failed: ${stderr.split("\n")[0] ?? ""}`,
          { facts: { code } },
        );
      return stdout.trim() === "" ? [] : JSON.parse(stdout);
    },
    async batch(program, lines, signal) {
      if (!(lines instanceof Promise) && lines.length === 0) return "";
      const command = [...prefix, program, "-force", "-batch", "-"];
      const input = Promise.resolve(lines).then((all) => all.map((line) => `${line}\n`).join(""));
      const { code, stderr } = await run(command, input, signal);
      return code === 0 ? "" : stderr === "" ? `${program} ended with ${code}` : stderr;
    },
  };
}
