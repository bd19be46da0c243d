// SPDX-License-Identifier: Apache-2.0
// Programs of the system, run to their end.
import { spawnSync } from "node:child_process";

/** Runs a program and returns what it printed. Throws with its complaint when it fails or is missing. */
export function runProgram(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0)
    throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}

/** Runs a program inside of a network namespace. */
export function runInNamespace(netns: string, program: string, args: readonly string[]): string {
  return runProgram("nsenter", [`--net=/run/netns/${netns}`, program, ...args]);
}
