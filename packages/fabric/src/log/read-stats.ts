// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync } from "node:sqlite";
import type { IdleGroups } from "./idle-groups.ts";
import type { GroupStats, LogStats } from "./message-log.ts";
import { STATE } from "./schema.ts";

/** Counts what waits; reads every pending row, so call it for people, not in a loop. */
export function readStats(db: DatabaseSync, sizeBytes: number, idle: IdleGroups): LogStats {
  const groups = db.prepare(
    `SELECT name, subject, sum(state <> ${STATE.given}) AS waiting, sum(state = ${STATE.given}) AS flying,
      min(at_ms) AS oldest, sum(attempt > 1) AS again, max(ms) AS idle
     FROM pending JOIN groups USING (group_id) JOIN messages USING (sequence) LEFT JOIN idle USING (group_id) GROUP BY group_id, subject`,
  );
  const dead = db.prepare(
    "SELECT subject, count(*) AS n FROM messages WHERE subject LIKE '%.dead' GROUP BY subject",
  );
  const describeIdle = (countedMs: unknown): Pick<GroupStats, "idle"> => {
    if (typeof countedMs !== "number") return {};
    const forMs = countedMs + idle.uncountedMs;
    return { idle: { forMs, goesInMs: Math.max(0, idle.keepMs - forMs) } };
  };
  return {
    sizeBytes,
    groups: groups.all().map((row) => ({
      group: String(row["name"]),
      subject: String(row["subject"]),
      waiting: Number(row["waiting"]),
      inFlight: Number(row["flying"]),
      oldestAtMs: Number(row["oldest"]),
      redelivered: Number(row["again"]),
      ...describeIdle(row["idle"]),
    })),
    dead: dead.all().map((row) => ({ subject: String(row["subject"]), count: Number(row["n"]) })),
  };
}
