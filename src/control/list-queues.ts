// SPDX-License-Identifier: Apache-2.0
import type { QueueView } from "@fairlead/protocol/routes.ts";
import type { Fabric } from "#fabric/fabric.ts";

/** The scope is the first word of a kept subject, and comes before the group's name. */
function split(text: string, mark: string): readonly [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? ["", text] : [text.slice(0, at), text.slice(at + 1)];
}

/** What the log counts, by scope as people name it. */
export function listQueues(stats: ReturnType<Fabric["queues"]>): readonly QueueView[] {
  const groups = stats.groups.map(({ group, subject, ...counts }): QueueView => {
    const [scope, own] = split(subject, ".");
    return { scope, subject: own, group: split(group, "/")[1], ...counts };
  });
  const dead = stats.dead.map(({ subject, count }): QueueView => {
    const [scope, own] = split(subject, ".");
    return { scope, subject: own, waiting: count, inFlight: 0, redelivered: 0 };
  });
  return [...groups, ...dead];
}
