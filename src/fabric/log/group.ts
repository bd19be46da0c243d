// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { fabricErrors } from "#fabric/errors.ts";
import type { Group, GroupOptions, Message, Publication } from "./message-log.ts";
import { readMessage } from "./read-message.ts";

/** What a group needs of its log. */
export interface Room {
  readonly db: DatabaseSync;
  readonly clock: Clock;
  run<T>(work: () => T): Promise<T>;
  /** Called after each commit. */
  readonly wakers: Set<() => void>;
  append(publication: Omit<Publication, "id">): number;
}

const DEAD = ".dead";

/** A handle on a group that exists already. Several handles of one name share its messages. */
export function createGroup(room: Room, name: string, options: GroupOptions): Group {
  const { db, clock, run } = room;
  const remove = db.prepare(
    "DELETE FROM pending WHERE name = ? AND sequence = ? AND in_flight = 1",
  );
  const giveBack = db.prepare(
    `UPDATE pending SET in_flight = 0, due_ms = ?, delay_ms = ?, delayed_at_ms = ?
     WHERE name = ? AND sequence = ? AND in_flight = 1`,
  );
  const closing = new AbortController();

  function bury(sequence: number, reason: string): void {
    const message = readMessage(db, name, sequence, "damaged too");
    if (Number(remove.run(name, sequence).changes) === 0) return;
    // A dead letter that is refused again has its reason already; it stays where it is.
    if (message === undefined || message.subject.endsWith(DEAD)) return;
    const { subject, payload, key, headers, attempt } = message;
    const why = {
      "dead-reason": reason,
      "dead-sequence": `${sequence}`,
      "dead-attempts": `${attempt}`,
      "dead-group": name,
    };
    room.append({
      subject: subject + DEAD,
      payload,
      ...(key !== undefined && { key }),
      headers: { ...headers, ...why },
      atMs: clock.nowMs(),
    });
  }

  /** Waits for a commit, or until something that was not due at `nowMs` is due. */
  async function wait(nowMs: number, signal: AbortSignal): Promise<void> {
    const next = db
      .prepare("SELECT min(due_ms) AS at FROM pending WHERE name = ? AND due_ms > ?")
      .get(name, nowMs)?.["at"];
    const done = new AbortController();
    const either = AbortSignal.any([signal, done.signal]);
    const wake = (): void => done.abort();
    room.wakers.add(wake);
    const delayMs = typeof next === "number" ? Math.max(1, next - clock.monotonicMs()) : 2 ** 30;
    await clock.sleep(delayMs, either).catch(() => undefined);
    room.wakers.delete(wake);
    signal.throwIfAborted();
  }

  return {
    async take(countMax, signal) {
      const either = AbortSignal.any([signal, closing.signal]);
      for (;;) {
        either.throwIfAborted();
        // Reading first, so that an idle group does not write, and one that waits does not wake itself.
        // One reading of the clock for both questions: what falls due between two would be waited for without end.
        const nowMs = clock.monotonicMs();
        if (hasWork(room, name, options, nowMs)) {
          const taken = await run(() => takeNow(room, name, options, countMax, bury));
          if (taken.length > 0) return taken;
          continue;
        }
        await wait(nowMs, either);
      }
    },
    async ack(sequence) {
      await run(() => remove.run(name, sequence));
    },
    async nack(sequence, { delayMs }) {
      await run(() =>
        giveBack.run(clock.monotonicMs() + delayMs, delayMs, clock.nowMs(), name, sequence),
      );
    },
    reject: (sequence, reason) => run(() => bury(sequence, reason)),
    async [Symbol.asyncDispose]() {
      if (closing.signal.aborted) return;
      closing.abort(new FairleadError(fabricErrors["log-closed"], `group ${name} is closed`));
      if (options.name !== undefined) return;
      await run(() => {
        db.prepare("DELETE FROM pending WHERE name = ?").run(name);
        db.prepare("DELETE FROM groups WHERE name = ?").run(name);
      });
    },
  };
}

const READY = `FROM pending p WHERE name = ? AND in_flight = 0 AND due_ms <= ? AND (key IS NULL OR NOT EXISTS
  (SELECT 1 FROM pending q WHERE q.name = p.name AND q.key = p.key AND q.sequence < p.sequence))`;

function countInFlight(db: DatabaseSync, name: string): number {
  return Number(
    db.prepare("SELECT coalesce(sum(in_flight),0) AS n FROM pending WHERE name = ?").get(name)?.[
      "n"
    ],
  );
}

function hasWork(
  { db }: Room,
  name: string,
  { inFlightMax }: GroupOptions,
  nowMs: number,
): boolean {
  const late = db.prepare(
    "SELECT 1 FROM pending WHERE name = ? AND in_flight = 1 AND due_ms <= ? LIMIT 1",
  );
  if (late.get(name, nowMs) !== undefined) return true;
  return (
    countInFlight(db, name) < inFlightMax &&
    db.prepare(`SELECT 1 ${READY} LIMIT 1`).get(name, nowMs) !== undefined
  );
}

function takeNow(
  { db, clock }: Room,
  name: string,
  { ackTimeoutMs, attemptsMax, inFlightMax }: GroupOptions,
  countMax: number,
  bury: (sequence: number, reason: string) => void,
): readonly Message[] {
  const nowMs = clock.monotonicMs();
  db.prepare(
    "UPDATE pending SET in_flight = 0 WHERE name = ? AND in_flight = 1 AND due_ms <= ?",
  ).run(name, nowMs);
  const count = Math.min(countMax, inFlightMax - countInFlight(db, name));
  const rows = db
    .prepare(`SELECT sequence, attempt ${READY} ORDER BY sequence LIMIT ?`)
    .all(name, nowMs, Math.max(0, count));
  const mark = db.prepare(
    "UPDATE pending SET in_flight = 1, attempt = attempt + ?, due_ms = ? WHERE name = ? AND sequence = ?",
  );
  return rows.flatMap((row) => {
    const sequence = Number(row["sequence"]);
    const spent = Number(row["attempt"]) >= attemptsMax;
    mark.run(spent ? 0 : 1, nowMs + ackTimeoutMs, name, sequence);
    const message = spent ? undefined : readMessage(db, name, sequence);
    if (message === undefined) {
      const spentIt = `not acknowledged in ${attemptsMax} attempts`;
      bury(sequence, spent ? spentIt : "damaged on disk");
    }
    return message ?? [];
  });
}
