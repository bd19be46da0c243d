// SPDX-License-Identifier: Apache-2.0
// The real command as a process, for tests.
import { spawn, type ChildProcess } from "node:child_process";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";

const BINARY = fileURLToPath(new URL("../../../bin/fairlead.mjs", import.meta.url));
/** A command that hangs is a failure of its test, not of the whole run. */
const PATIENCE_MS = 60_000;

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  /** Called with the process and everything that stdout has said so far. */
  readonly onOutput?: (child: ChildProcess, stdout: string) => void;
}

/** Runs `fairlead` with arguments in a clean environment; nothing of the caller's settings reaches it. */
export function runFairlead(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const env = { PATH: process.env["PATH"] ?? "", HOME: tmpdir(), LANG: "C.UTF-8", ...options.env };
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BINARY, ...args], {
      env,
      cwd: options.cwd ?? tmpdir(),
      timeout: PATIENCE_MS,
      killSignal: "SIGKILL",
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
      options.onOutput?.(child, stdout);
    });
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}
