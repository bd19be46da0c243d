// SPDX-License-Identifier: Apache-2.0
// Logs, usage and events of all nodes as one stream.
import { mergeByTime } from "#control/merge-by-time.ts";
import type { Operations } from "#control/operations.ts";
import { followLogs } from "./follow-logs.ts";
import { readOther, withNode } from "./read-logs.ts";
import { spreadEvents } from "./spread-events.ts";
import type { SpreadOptions } from "./spread-options.ts";
import { spreadUsage } from "./spread-usage.ts";

type Streams = Pick<Operations, "logs" | "usage" | "events">;

/** The streaming operations over all nodes. */
export function spreadStreams(options: SpreadOptions): Streams {
  const { local, others, self } = options;
  return {
    logs(request, caller) {
      // Names that nobody has are refused here, before anything is streamed.
      const own = local.logs(request, caller);
      const nodes = others.list();
      if (nodes.length === 0) return own;
      if (request.follow) return followLogs(options, withNode(own, self), request, caller);
      return mergeByTime([
        withNode(own, self),
        ...nodes.map((node) => readOther(options, node, request, caller)),
      ]);
    },
    usage: (filter, caller) =>
      others.list().length === 0
        ? local.usage(filter, caller)
        : spreadUsage(options, filter, caller),
    events: (more, caller) => spreadEvents(options, more, caller),
  };
}
