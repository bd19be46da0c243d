// SPDX-License-Identifier: Apache-2.0
// One run with a deadline.
import { baseErrors, FairleadError } from "#base/errors.ts";
import { runRules, type RulesAnswer } from "./run-rules.ts";

const DEADLINE_MS = 10_000;

/** Where, and for how long. */
export interface NetfilterOptions {
  /** A network namespace by its path, `/proc/4711/ns/net` or `/run/netns/NAME`; without it that of the node. */
  readonly netns?: string;
  /** After so long nothing is waited for any more, ms. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

/** Runs a program that makes packet rules. Throws as `runRules`, and FL0103 `timeout`. */
export async function askRules(
  command: readonly string[],
  input: string,
  options: NetfilterOptions,
): Promise<RulesAnswer> {
  const { netns, signal, deadlineMs = DEADLINE_MS } = options;
  const deadline = AbortSignal.timeout(deadlineMs);
  const both = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
  try {
    return await runRules(command, input, { netns, signal: both });
  } catch (error) {
    if (signal?.aborted !== true && deadline.aborted) {
      const words = `${command[0] ?? ""} did not end within ${deadlineMs} ms`;
      throw new FairleadError(baseErrors.timeout, words, { cause: error });
    }
    throw error;
  }
}
