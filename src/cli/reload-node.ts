// SPDX-License-Identifier: Apache-2.0
// Lets the node read its settings again: it starts anew in its own process, so that whoever watches over it notices nothing.
import { setTimeout as sleep } from "node:timers/promises";
import type { NodeStatus } from "@fairlead/protocol/views.ts";
import { formatDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "./context.ts";
import { cliErrors } from "./errors.ts";
import { ensureNode } from "./launch-node.ts";

const LOOK_MS = 50;
const PATIENCE_MS = 30_000;

async function ask(context: Context): Promise<NodeStatus | undefined> {
  try {
    return await context.api.call<NodeStatus>("GET", "status");
  } catch (thrown) {
    // While it starts anew nobody answers, or the answer breaks off.
    if (thrown instanceof FairleadError && thrown.code === "unavailable") return undefined;
    throw thrown;
  }
}

/** Resolves when the node answers with the settings that it read last; `start`: one is started when none runs. Throws FL0611, FL0614. */
export async function reloadNode(
  context: Context,
  { start }: { readonly start: boolean },
): Promise<void> {
  const before = await ask(context);
  if (before === undefined) return start ? ensureNode(context) : undefined;
  process.kill(before.pid, "SIGHUP");
  const giveUpMs = performance.now() + PATIENCE_MS;
  while (performance.now() < giveUpMs) {
    const now = await ask(context);
    if (now !== undefined && now.startedAtMs !== before.startedAtMs) return;
    await sleep(LOOK_MS, undefined, { signal: context.signal });
  }
  throw new FairleadError(
    cliErrors["node-unreachable"],
    `the node has not come back in ${formatDuration(PATIENCE_MS)}`,
    { facts: { pid: before.pid }, remedy: "read the node's log; `fairlead node` starts one" },
  );
}
