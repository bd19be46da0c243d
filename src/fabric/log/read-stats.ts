// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync } from "node:sqlite";
import type { LogStats } from "./message-log.ts";

/** Counts what waits; reads every pending row, so call it for people, not in a loop. */
export function readStats(db: DatabaseSync): LogStats {
  const groups =
    db.prepare(`SELECT name, subject, sum(in_flight = 0) AS waiting, sum(in_flight) AS flying,
    min(at_ms) AS oldest, sum(attempt > 1) AS again FROM pending JOIN messages USING (sequence) GROUP BY name, subject`);
  const dead = db.prepare(
    "SELECT subject, count(*) AS n FROM messages WHERE subject LIKE '%.dead' GROUP BY subject",
  );
  const size = db.prepare("SELECT coalesce(sum(size),0) AS n FROM messages").get();
  return {
    sizeBytes: Number(size?.["n"]),
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
