// SPDX-License-Identifier: Apache-2.0
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { Clock } from "#base/clock.ts";
import type { OtherNodes } from "./ask-nodes.ts";

/** How often it is looked who there is, and how long after a failure a node is asked again. */
export const RETRY_MS = 1_000;

/** Calls `each` for every other node, also for those that come later, until the signal aborts. */
export async function attendAll(
  others: OtherNodes,
  clock: Clock,
  signal: AbortSignal,
  each: (node: NodeView) => Promise<void>,
): Promise<void> {
  const attended = new Set<string>();
  while (!signal.aborted) {
    for (const node of others.list()) {
      if (attended.has(node.id)) continue;
      attended.add(node.id);
      void each(node);
    }
    await clock.sleep(RETRY_MS, signal).catch(() => undefined);
  }
}
