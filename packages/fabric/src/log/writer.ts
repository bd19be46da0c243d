// SPDX-License-Identifier: Apache-2.0
// Adds messages and takes away those that nobody waits for. All of it runs inside a transaction.
import type { DatabaseSync } from "node:sqlite";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { SubjectIndex } from "@fairlead/fabric/subject-index.ts";
import { matchSubject } from "@fairlead/protocol/subjects.ts";
import type { LogClock, GroupOptions, Publication } from "./message-log.ts";
import { sumMessage } from "./read-message.ts";
import { STATE } from "./schema.ts";

/** What a log is bounded by. */
export interface Limits {
  readonly dedupeMs: number;
  readonly ageMaxMs: number;
  readonly bytesMax: number;
}

export interface WriterParts {
  readonly db: DatabaseSync;
  readonly clock: LogClock;
  readonly limits: Limits;
  readonly onUndo: (undo: () => void) => void;
  /** Told of a group that has a message more. */
  readonly onPending: (groupId: number) => void;
}

/** Publishes between two looks at what may be deleted. */
const PRUNE_EACH = 500;
/** Messages that one look reads. */
const PRUNE_COUNT = 1_000;
const BYTES_EACH = 64;

/** Messages without a limit, for dead letters: their originals can then be deleted, and a full log must not keep them. */
export const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/** Makes the writer of a log that was opened. */
export function createWriter({ db, clock, limits, onUndo, onPending }: WriterParts) {
  const insert = db.prepare(
    "INSERT INTO messages (subject,key,headers,payload,at_ms,size,checksum) VALUES (?,?,?,?,?,?,?)",
  );
  const insertPending = db.prepare(
    "INSERT OR IGNORE INTO pending (group_id,sequence,key,state) VALUES (?,?,?,?)",
  );
  const findKey = db.prepare("SELECT 1 FROM pending WHERE group_id = ? AND key = ? LIMIT 1");
  const listGroups = db.prepare("SELECT group_id, pattern FROM groups");
  const findId = db.prepare("SELECT sequence FROM ids WHERE id = ? AND at_ms > ?");
  const putId = db.prepare("INSERT OR REPLACE INTO ids VALUES (?,?,?)");
  const forgetIds = db.prepare("DELETE FROM ids WHERE at_ms <= ?");
  const readSlice = db.prepare(
    `SELECT sequence, at_ms, size, EXISTS (SELECT 1 FROM pending p WHERE p.sequence = m.sequence) AS wanted
     FROM messages m WHERE sequence > ? ORDER BY sequence LIMIT ${PRUNE_COUNT}`,
  );
  const remove = db.prepare("DELETE FROM messages WHERE sequence = ?");
  let sizeBytes = Number(
    db.prepare("SELECT coalesce(sum(size),0) AS n FROM messages").get()?.["n"],
  );
  let cursor = 0;
  let untilPrune = 0;
  /** Whether the whole log was looked through in vain since something was settled last. */
  let hopeless = false;
  let index: SubjectIndex<number> | undefined;

  function resize(bytes: number): void {
    sizeBytes += bytes;
    onUndo(() => (sizeBytes -= bytes));
  }

  /** Reads the next messages and deletes those that are old enough and wanted by nobody; false at the end of the log. */
  function pruneSome(atMsMax: number): boolean {
    const rows = readSlice.all(cursor);
    const last = rows.at(-1);
    for (const row of rows) {
      if (Number(row["at_ms"]) > atMsMax || row["wanted"] === 1) continue;
      remove.run(Number(row["sequence"]));
      resize(-Number(row["size"]));
    }
    const goesOn = last !== undefined && Number(last["at_ms"]) <= atMsMax;
    cursor = goesOn ? Number(last["sequence"]) : 0;
    return goesOn;
  }

  /** Throws `log-full` when there is no room for so many bytes, even without what nobody waits for. */
  function makeRoom(bytes: number, limit: number): void {
    if (sizeBytes + bytes <= limit) return;
    if (!hopeless) {
      cursor = 0;
      while (pruneSome(NO_LIMIT) && sizeBytes + bytes > limit);
      if (sizeBytes + bytes <= limit) return;
      hopeless = true;
    }
    throw new FabricError("resource_exhausted", "the message log is full", {
      reason: "log-full",
      facts: { "bytes at most": String(limits.bytesMax) },
    });
  }

  function findGroups(subject: string): Iterable<number> {
    if (index === undefined) {
      index = new SubjectIndex();
      for (const row of listGroups.all())
        index.add(String(row["pattern"]), Number(row["group_id"]));
    }
    return index.match(subject);
  }

  function addPending(groupId: number, sequence: number, key: string | null): void {
    const behind = key !== null && findKey.get(groupId, key) !== undefined;
    insertPending.run(groupId, sequence, key, behind ? STATE.behind : STATE.ready);
    if (!behind) onPending(groupId);
  }

  function append(
    { subject, key, headers, payload, atMs }: Omit<Publication, "id">,
    limit: number,
  ): number {
    const head = JSON.stringify(headers);
    const size = payload.length + subject.length + head.length + BYTES_EACH;
    makeRoom(size, limit);
    const sum = sumMessage(subject, key ?? null, head, payload);
    const sequence = Number(
      insert.run(subject, key ?? null, head, payload, atMs, size, sum).lastInsertRowid,
    );
    resize(size);
    for (const groupId of findGroups(subject)) addPending(groupId, sequence, key ?? null);
    return sequence;
  }

  /** Groups have come or gone, or coming and going was undone. */
  function forgetGroups(): void {
    index = undefined;
    onUndo(() => (index = undefined));
  }

  return {
    append,
    forgetGroups,
    /** Somebody waits no more for a message. */
    noteSettled: () => void (hopeless = false),
    get sizeBytes(): number {
      return sizeBytes;
    },
    publish(publication: Publication) {
      const nowMs = clock.nowMs();
      const known = findId.get(publication.id, nowMs - limits.dedupeMs);
      if (known !== undefined) return { sequence: Number(known["sequence"]), duplicate: true };
      if (untilPrune-- <= 0) {
        untilPrune = PRUNE_EACH;
        pruneSome(nowMs - limits.ageMaxMs);
        forgetIds.run(nowMs - limits.dedupeMs);
      }
      const sequence = append(publication, limits.bytesMax);
      putId.run(publication.id, sequence, nowMs);
      return { sequence, duplicate: false };
    },
    /** The id of the group, which is made when it is not there. */
    addGroup(name: string, { pattern, from, name: own }: GroupOptions): number {
      const durable = own === undefined ? 0 : 1;
      const added = db
        .prepare("INSERT OR IGNORE INTO groups (name,pattern,durable) VALUES (?,?,?)")
        .run(name, pattern, durable);
      const row = db
        .prepare("SELECT group_id FROM groups WHERE name = ? AND pattern = ?")
        .get(name, pattern);
      const groupId = Number(row?.["group_id"]);
      if (Number(added.changes) === 0) return groupId;
      forgetGroups();
      if (from === "now") return groupId;
      const all = db.prepare("SELECT sequence, subject, key FROM messages ORDER BY sequence");
      for (const { sequence, subject, key } of all.iterate())
        if (matchSubject(pattern, String(subject)))
          addPending(groupId, Number(sequence), typeof key === "string" ? key : null);
      return groupId;
    },
  };
}

/** Adds messages and groups. */
export type Writer = ReturnType<typeof createWriter>;
