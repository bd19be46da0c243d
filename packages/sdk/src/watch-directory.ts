// SPDX-License-Identifier: Apache-2.0
import { matchesFilter, type AgentFilter, type Registry } from "@fairlead/fabric/registry.ts";
import type { AgentChange } from "@fairlead/protocol/agent.ts";

/** What a reader is told who has not read `unread` yet; undefined: nothing, as it never knew the agent. */
function joinChanges(unread: AgentChange | undefined, next: AgentChange): AgentChange | undefined {
  if (unread === undefined) return next;
  const isKnown = unread.type !== "up";
  if (next.type === "gone") return isKnown ? next : undefined;
  return { type: isKnown ? "changed" : "up", agent: next.agent };
}

/**
 * What matches now as `up`, then each change, until the signal aborts or the loop is left. A reader that is slow gets the
 * latest of each agent, so that what waits for it is bounded by how many there are.
 */
export async function* watchDirectory(
  directory: Registry,
  filter: AgentFilter,
  signal: AbortSignal,
): AsyncGenerator<AgentChange> {
  const waiting = new Map<string, AgentChange>();
  let wake: () => void = () => undefined;
  const onEnd = (): void => wake();
  for (const agent of directory.list(filter)) waiting.set(agent.id, { type: "up", agent });
  const stop = directory.watch((change) => {
    if (!matchesFilter(change.agent, filter)) return;
    const joined = joinChanges(waiting.get(change.agent.id), change);
    if (joined === undefined) waiting.delete(change.agent.id);
    else waiting.set(change.agent.id, joined);
    wake();
  });
  signal.addEventListener("abort", onEnd, { once: true });
  try {
    while (!signal.aborted) {
      const [first] = waiting;
      if (first === undefined) await new Promise<void>((resolve) => (wake = resolve));
      else {
        waiting.delete(first[0]);
        yield first[1];
      }
    }
  } finally {
    signal.removeEventListener("abort", onEnd);
    stop();
  }
}
