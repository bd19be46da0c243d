// SPDX-License-Identifier: Apache-2.0
import { spawn } from "node:child_process";

const PATIENCE_MS = 5_000;

/** How a program ended. `code` is undefined when it is not installed or did not end in time. */
export interface ProgramEnd {
  readonly code: number | undefined;
  readonly output: string;
}

/** Runs a program with its arguments and text for its stdin; no shell. Never throws. */
export function runProgram(
  program: string,
  args: readonly string[],
  input = "",
): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    let output = "";
    const child = spawn(program, [...args], {
      timeout: PATIENCE_MS,
      env: { ...process.env, LC_ALL: "C" },
    });
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stdin.on("error", () => undefined);
    child.on("error", (thrown) => resolve({ code: undefined, output: thrown.message }));
    child.on("close", (code) => resolve({ code: code ?? undefined, output: output.trim() }));
    child.stdin.end(input);
  });
}
