// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync } from "node:sqlite";
import type { LogStats } from "./message-log.ts";
import { STATE } from "./schema.ts";

/** Counts what waits; reads every pending row, so call it for people, not in a loop. */
export function readStats(db: DatabaseSync, sizeBytes: number): LogStats {
  const groups = db.prepare(
    `SELECT name, subject, sum(state <> ${STATE.given}) AS waiting, sum(state = ${STATE.given}) AS flying,
      min(at_ms) AS oldest, sum(attempt > 1) AS again
     FROM pending JOIN groups USING (group_id) JOIN messages USING (sequence) GROUP BY group_id, subject`,
  );
  const dead = db.prepare(
    "SELECT subject, count(*) AS n FROM messages WHERE subject LIKE '%.dead' GROUP BY subject",
  );
  return {
    sizeBytes,
    groups: groups.all().map((row) => ({
      group: String(row["name"]),
      subject: String(row["subject"]),
      waiting: Number(row["waiting"]),
      inFlight: Number(row["flying"]),
      oldestAtMs: Number(row["oldest"]),
      redelivered: Number(row["again"]),
    })),
    dead: dead.all().map((row) => ({ subject: String(row["subject"]), count: Number(row["n"]) })),
  };
}
