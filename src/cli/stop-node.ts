// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { NodeStatus } from "@fairlead/protocol/views.ts";
import { formatDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "./context.ts";
import { cliErrors } from "./errors.ts";

const LOOK_MS = 50;
const PATIENCE_MS = 30_000;

/** Whether a process has ended and only waits for whoever started it to take note. */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch {
    return false;
  }
}

/** Ends the node that answers and waits until its process is gone; returns its pid. Throws FL0611, FL0618. */
export async function stopNode(context: Context): Promise<number> {
  const { pid } = await context.api.call<NodeStatus>("GET", "status");
  process.kill(pid, "SIGTERM");
  const startedMs = performance.now();
  while (isAlive(pid)) {
    if (performance.now() - startedMs > PATIENCE_MS) {
      throw new FairleadError(
        cliErrors["not-removed"],
        `the node has not ended in ${formatDuration(PATIENCE_MS)}`,
        {
          facts: { pid },
          remedy: `kill -9 ${pid}; a node may be killed at any moment`,
        },
      );
    }
    await sleep(LOOK_MS, undefined, { signal: context.signal });
  }
  return pid;
}
