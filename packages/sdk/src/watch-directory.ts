// SPDX-License-Identifier: Apache-2.0
import { matchesFilter, type AgentFilter, type Registry } from "@fairlead/fabric/registry.ts";
import type { AgentChange } from "@fairlead/protocol/agent.ts";

/** What matches now as `up`, then each change, until the signal aborts or the loop is left. */
export async function* watchDirectory(
  directory: Registry,
  filter: AgentFilter,
  signal: AbortSignal,
): AsyncGenerator<AgentChange> {
  const waiting: AgentChange[] = [];
  let wake: () => void = () => undefined;
  const onEnd = (): void => wake();
  for (const agent of directory.list(filter)) waiting.push({ type: "up", agent });
  const stop = directory.watch((change) => {
    if (!matchesFilter(change.agent, filter)) return;
    waiting.push(change);
    wake();
  });
  signal.addEventListener("abort", onEnd, { once: true });
  try {
    while (!signal.aborted) {
      const change = waiting.shift();
      if (change !== undefined) yield change;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    signal.removeEventListener("abort", onEnd);
    stop();
  }
}
