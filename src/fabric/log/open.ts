// SPDX-License-Identifier: Apache-2.0
// Opens a message log: one connection, one owner. The memory driver is the same on a database without a file.
import type { DatabaseSync } from "node:sqlite";
import { matchSubject } from "@fairlead/protocol/subjects.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { fabricErrors } from "#fabric/errors.ts";
import { createCommitQueue } from "./commit-queue.ts";
import { createGroup, type Room } from "./group.ts";
import type { GroupOptions, MessageLog, Publication } from "./message-log.ts";
import { sumMessage } from "./read-message.ts";
import { readStats } from "./read-stats.ts";
import { convertError, openDatabase } from "./schema.ts";

export type LogOptions = {
  /** How long a repeated id is recognised. Default two minutes. */
  readonly dedupeMs?: number;
  /** What every group has acknowledged is deleted after this. Default one day. */
  readonly ageMaxMs?: number;
  /** Payloads, subjects and headers together. Default 1 GiB. */
  readonly bytesMax?: number;
} & ({ readonly kind: "sqlite"; readonly path: string } | { readonly kind: "memory" });

const PRUNE_EACH = 1000;

/** Opens or creates the log; the caller disposes of it. Throws FL0970, FL0971, FL0973. */
export function openLog(options: LogOptions, { clock }: { clock: Clock }): MessageLog {
  const db = openDatabase(options.kind === "sqlite" ? options.path : ":memory:", clock);
  const writer = createWriter(db, options, clock);
  const queue = createCommitQueue(db, () => writer.measure());
  const wakers = new Set<() => void>();
  let closed = false;
  let ephemeral = 0;
  async function run<T>(work: () => T): Promise<T> {
    if (closed) throw new FairleadError(fabricErrors["log-closed"], "the message log is closed");
    try {
      const result = await queue.run(work);
      for (const wake of wakers) wake();
      return result;
    } catch (thrown) {
      throw convertError(thrown);
    }
  }
  const room: Room = {
    db,
    clock,
    run,
    wakers,
    append: (publication) => writer.append(publication, Number.MAX_SAFE_INTEGER),
  };
  return {
    publish: (publication) => run(() => writer.publish(publication)),
    async openGroup(group: GroupOptions) {
      const name = group.name ?? `(ephemeral ${++ephemeral})`;
      await run(() => writer.addGroup(name, group));
      return createGroup(room, name, group);
    },
    stats: () => readStats(db),
    async [Symbol.asyncDispose]() {
      if (closed) return;
      queue.flush();
      closed = true;
      for (const wake of wakers) wake();
      db.close();
    },
  };
}

function createWriter(db: DatabaseSync, options: LogOptions, clock: Clock) {
  const { dedupeMs = 120_000, ageMaxMs = 86_400_000, bytesMax = 2 ** 30 } = options;
  const insert = db.prepare(
    "INSERT INTO messages (subject,key,headers,payload,at_ms,size,checksum) VALUES (?,?,?,?,?,?,?)",
  );
  const insertPending = db.prepare(
    "INSERT OR IGNORE INTO pending (name,sequence,key) VALUES (?,?,?)",
  );
  const listGroups = db.prepare("SELECT name, pattern FROM groups");
  const findId = db.prepare("SELECT sequence FROM ids WHERE id = ? AND at_ms > ?");
  const putId = db.prepare("INSERT OR REPLACE INTO ids VALUES (?,?,?)");
  const prune =
    db.prepare(`DELETE FROM messages WHERE sequence IN (SELECT sequence FROM messages m WHERE at_ms <= ?
    AND NOT EXISTS (SELECT 1 FROM pending p WHERE p.sequence = m.sequence) ORDER BY sequence LIMIT 1000)`);
  let sizeBytes = 0;
  let untilPrune = 0;
  function measure(): void {
    sizeBytes = Number(db.prepare("SELECT coalesce(sum(size),0) AS n FROM messages").get()?.["n"]);
  }
  /** A dead letter has no limit: its original can then be deleted, and a full log must not keep it from leaving. */
  function append(
    { subject, key, headers, payload, atMs }: Omit<Publication, "id">,
    limit: number,
  ): number {
    const head = JSON.stringify(headers);
    const size = payload.length + subject.length + head.length + 64;
    if (sizeBytes + size > limit) {
      prune.run(Number.MAX_SAFE_INTEGER);
      measure();
    }
    if (sizeBytes + size > limit)
      throw new FairleadError(fabricErrors["log-full"], "the message log is full", {
        facts: { "bytes at most": bytesMax },
      });
    const sum = sumMessage(subject, key ?? null, head, payload);
    const sequence = Number(
      insert.run(subject, key ?? null, head, payload, atMs, size, sum).lastInsertRowid,
    );
    sizeBytes += size;
    for (const { name, pattern } of listGroups.all())
      if (matchSubject(String(pattern), subject))
        insertPending.run(String(name), sequence, key ?? null);
    return sequence;
  }
  measure();
  return {
    measure,
    append,
    publish(publication: Publication) {
      const nowMs = clock.nowMs();
      const known = findId.get(publication.id, nowMs - dedupeMs);
      if (known !== undefined) return { sequence: Number(known["sequence"]), duplicate: true };
      if (untilPrune-- <= 0) {
        untilPrune = PRUNE_EACH;
        prune.run(nowMs - ageMaxMs);
        db.prepare("DELETE FROM ids WHERE at_ms <= ?").run(nowMs - dedupeMs);
        measure();
      }
      const sequence = append(publication, bytesMax);
      putId.run(publication.id, sequence, nowMs);
      return { sequence, duplicate: false };
    },
    addGroup(name: string, group: GroupOptions): void {
      const added = db
        .prepare("INSERT OR IGNORE INTO groups VALUES (?,?,?)")
        .run(name, group.pattern, group.name === undefined ? 0 : 1);
      if (Number(added.changes) === 0 || group.from === "now") return;
      for (const row of db.prepare("SELECT sequence, subject, key FROM messages").all())
        if (matchSubject(group.pattern, String(row["subject"])))
          insertPending.run(name, Number(row["sequence"]), row["key"] ?? null);
    },
  };
}
