// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync } from "node:sqlite";

/** Free pages kept for what is written next: 2 MiB. */
const FREE_PAGES_KEPT = 512;
/** Pages given back at once, so that one step takes about a millisecond. */
const STEP_PAGES = 256;

/** Gives some free pages back to the file system, at its next checkpoint. Tries again another time when it cannot. */
export function shrinkFile(db: DatabaseSync): void {
  try {
    const free = db.prepare("PRAGMA freelist_count").get()?.["freelist_count"];
    if (typeof free !== "number" || free < FREE_PAGES_KEPT + STEP_PAGES) return;
    db.exec(`PRAGMA incremental_vacuum(${STEP_PAGES})`);
  } catch {
    // A full disk: shrinking writes to the log first. What is stored is not touched.
  }
}
