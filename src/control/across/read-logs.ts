// SPDX-License-Identifier: Apache-2.0
import type { NodeView } from "@fairlead/protocol/node.ts";
import { LogLine } from "@fairlead/protocol/routes.ts";
import type { Clock } from "#base/clock.ts";
import type { Caller, LogEntry, LogRequest } from "#control/operations.ts";
import { isUnknownThere, tellWhy } from "./ask-nodes.ts";
import type { Question } from "./questions.ts";
import type { SpreadOptions } from "./spread-options.ts";

/** The request as another node is asked. */
export function askLogs(request: LogRequest): Question {
  return { ask: "logs", request: { ...request, names: [...request.names] } };
}

/** A line that says of a node why its lines are not here. */
export function tellUnread(
  { scope }: LogRequest,
  node: NodeView,
  thrown: unknown,
  clock: Clock,
): LogEntry {
  const text = `(fairlead cannot read what ${node.name} has: ${tellWhy(node, thrown)})`;
  const whose = { scope, service: "", instance: node.name, node: node.name };
  return { ...whose, stream: "stderr", atMs: clock.nowMs(), text };
}

/** Lines with the name of the node that has them. */
export async function* withNode(
  source: AsyncIterable<LogEntry>,
  node: string,
): AsyncGenerator<LogEntry> {
  for await (const entry of source) yield { ...entry, node };
}

/** What another node has of it now; a line says so when it does not answer. */
export async function* readOther(
  { others, clock }: SpreadOptions,
  node: NodeView,
  request: LogRequest,
  caller: Caller,
): AsyncGenerator<LogEntry> {
  try {
    yield* withNode(others.stream(node, askLogs(request), caller, LogLine), node.name);
  } catch (thrown) {
    if (caller.signal.aborted || isUnknownThere(thrown)) return;
    yield tellUnread(request, node, thrown, clock);
  }
}
