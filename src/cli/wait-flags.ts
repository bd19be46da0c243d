// SPDX-License-Identifier: Apache-2.0
import { FairleadError } from "#base/errors.ts";
import { cliErrors } from "./errors.ts";
import type { Parsed } from "./parsed.ts";

const TIMEOUT_DEFAULT_MS = 120_000;

/** Whether and how long to wait. Throws FL0606 for --wait with --detach. */
export function readWaitFlags(parsed: Parsed): {
  readonly wait: boolean;
  readonly timeoutMs: number;
} {
  if (parsed.has("wait") && parsed.has("detach")) {
    throw new FairleadError(
      cliErrors["conflicting-flags"],
      "--wait and --detach ask for opposite things",
    );
  }
  return {
    wait: !parsed.has("detach"),
    timeoutMs: parsed.waitMs("timeout") ?? TIMEOUT_DEFAULT_MS,
  };
}
