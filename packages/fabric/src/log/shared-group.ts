// SPDX-License-Identifier: Apache-2.0
// What the handles of one group share: who holds which message, who waits for one, what is due when.
import type { DatabaseSync } from "node:sqlite";
import type { Outcome } from "./commit-queue.ts";
import type { KeptMessage, LogClock, Publication } from "./message-log.ts";
import { createReader } from "./read-message.ts";
import { convertError, STATE } from "./schema.ts";

/** What a group needs of its log. Work runs inside a transaction; `onUndo` takes back what it changed in memory. */
export interface Room {
  readonly db: DatabaseSync;
  readonly clock: LogClock;
  run<T>(work: () => T): Promise<T>;
  onUndo(undo: () => void): void;
  /** Asks for a transaction at whose end the group is served. */
  touch(group: SharedGroup): void;
  append(publication: Omit<Publication, "id">): void;
  /** A message is wanted by one group less. */
  noteSettled(): void;
}

/** One who may hold messages of the group. */
export interface Holder {
  readonly ackTimeoutMs: number;
  readonly attemptsMax: number;
  readonly inFlightMax: number;
  /** Messages that it holds. */
  count: number;
}

/** One who waits for messages, asks for what there is now, or wants to know when there are some. */
export interface Taker {
  readonly mode: "wait" | "now" | "ready";
  readonly holder: Holder;
  readonly countMax: number;
  readonly resolve: (messages: readonly KeptMessage[]) => void;
  readonly reject: (thrown: unknown) => void;
}

interface Held {
  readonly holder: Holder;
  readonly key: string | null;
  readonly dueMs: number;
}

const DEAD = ".dead";
/** Messages that one transaction gives out. */
const SERVED_MAX = 1_000;

/** The indices are named: left to itself SQLite reads all that waits to find what is ready. */
function prepare(db: DatabaseSync) {
  return {
    read: createReader(db),
    ready: db.prepare(
      `SELECT sequence, attempt, key FROM pending INDEXED BY pending_ready WHERE group_id = ? AND state = ${STATE.ready} ORDER BY sequence LIMIT ?`,
    ),
    give: db.prepare(
      `UPDATE pending SET state = ${STATE.given}, attempt = attempt + 1 WHERE group_id = ? AND sequence = ?`,
    ),
    claim: db.prepare(
      `UPDATE pending SET state = ${STATE.given} WHERE group_id = ? AND sequence = ? AND attempt > 0
       AND state IN (${STATE.ready}, ${STATE.delayed}) RETURNING key`,
    ),
    free: db.prepare(
      `UPDATE pending SET state = ${STATE.ready}, attempt = max(0, attempt - ?) WHERE group_id = ? AND sequence = ?`,
    ),
    delay: db.prepare(
      `UPDATE pending SET state = ${STATE.delayed}, due_ms = ?, delay_ms = ?, delayed_at_ms = ? WHERE group_id = ? AND sequence = ?`,
    ),
    wake: db.prepare(
      `UPDATE pending INDEXED BY pending_delayed SET state = ${STATE.ready} WHERE group_id = ? AND state = ${STATE.delayed} AND due_ms <= ?`,
    ),
    due: db.prepare(
      `SELECT min(due_ms) AS at FROM pending INDEXED BY pending_delayed WHERE group_id = ? AND state = ${STATE.delayed}`,
    ),
    remove: db.prepare("DELETE FROM pending WHERE group_id = ? AND sequence = ? RETURNING attempt"),
    follow: db.prepare(
      `UPDATE pending SET state = ${STATE.ready} WHERE group_id = :id AND state = ${STATE.behind} AND sequence =
       (SELECT min(sequence) FROM pending WHERE group_id = :id AND key = :key)`,
    ),
  };
}

/** Made with the first handle of a group. */
export class SharedGroup {
  readonly id: number;
  readonly #name: string;
  readonly #room: Room;
  readonly #sql: ReturnType<typeof prepare>;
  readonly #held = new Map<number, Held>();
  readonly #takers = new Set<Taker>();
  /** Nothing is due before. */
  #dueMs = 0;
  #timer: { readonly atMs: number; readonly ending: AbortController } | undefined;

  constructor(room: Room, id: number, name: string) {
    this.#room = room;
    this.id = id;
    this.#name = name;
    this.#sql = prepare(room.db);
  }

  addTaker(taker: Taker): void {
    this.#takers.add(taker);
    this.#room.touch(this);
  }

  removeTaker(taker: Taker): void {
    this.#takers.delete(taker);
  }

  /** Nobody is served any more. */
  close(error: Error): void {
    this.#timer?.ending.abort();
    this.#timer = undefined;
    for (const taker of this.#takers) taker.reject(error);
    this.#takers.clear();
  }

  isHeldBy(holder: Holder, sequence: number): boolean {
    return this.#held.get(sequence)?.holder === holder;
  }

  listHeldBy(holder: Holder): readonly number[] {
    return [...this.#held]
      .filter(([, held]) => held.holder === holder)
      .map(([sequence]) => sequence);
  }

  /** Work: gives messages back to a holder who had them before; the ones that are free. */
  claim(holder: Holder, sequences: readonly number[]): readonly number[] {
    const dueMs = this.#room.clock.monotonicMs() + holder.ackTimeoutMs;
    return sequences.filter((sequence) => {
      if (this.#held.has(sequence) || holder.count >= holder.inFlightMax) return false;
      const row = this.#sql.claim.get(this.id, sequence);
      if (row === undefined) return false;
      this.#hold(sequence, { holder, dueMs, key: readKey(row["key"]) });
      return true;
    });
  }

  /** Work: the message is done with. The next of its key may go. */
  settle(sequence: number): void {
    const { key } = this.#drop(sequence);
    this.#remove(sequence, key);
  }

  /** Work: the message goes to the dead letters. One that is a dead letter already has its reason, and is done with. */
  bury(sequence: number, reason: string): void {
    const { key } = this.#drop(sequence);
    this.#bury(sequence, key, reason);
  }

  /** Work: the message may be given out again after a delay; `uncount` attempts are taken back. */
  giveBack(sequence: number, { delayMs = 0, uncount = 0 }): void {
    const { clock } = this.#room;
    this.#drop(sequence);
    if (delayMs === 0) {
      this.#sql.free.run(uncount, this.id, sequence);
      return;
    }
    const dueMs = clock.monotonicMs() + delayMs;
    this.#sql.delay.run(dueMs, delayMs, clock.nowMs(), this.id, sequence);
    this.#dueMs = Math.min(this.#dueMs, dueMs);
  }

  /** At the end of a transaction: gives what is ready to those who wait, in turns. */
  serve(): readonly Outcome[] {
    const nowMs = this.#room.clock.monotonicMs();
    const given = new Map<Taker, KeptMessage[]>();
    try {
      if (nowMs >= this.#dueMs) this.#expire(nowMs);
      while (this.#deal(nowMs, given));
      this.#answerNow(given);
    } catch (thrown) {
      const error = convertError(thrown);
      for (const taker of this.#takers) taker.reject(error);
      throw thrown;
    }
    if (this.#takers.size > 0) this.#wait(nowMs);
    return [...given].map(([taker, messages]) => {
      this.#takers.delete(taker);
      return { done: () => taker.resolve(messages), failed: taker.reject };
    });
  }

  /** Who asked for what there is gets nothing then, and who wants to know when there is something is told. */
  #answerNow(given: Map<Taker, KeptMessage[]>): void {
    const rest = [...this.#takers].filter((taker) => !given.has(taker));
    const isReady =
      rest.some(({ mode }) => mode === "ready") && this.#sql.ready.all(this.id, 1).length > 0;
    for (const taker of rest)
      if (taker.mode === "now" || (taker.mode === "ready" && isReady)) given.set(taker, []);
  }

  /** Deals out one row of the ready ones; false when that was all, or nobody has room. */
  #deal(nowMs: number, given: Map<Taker, KeptMessage[]>): boolean {
    const roomOf = (taker: Taker): number =>
      Math.min(
        taker.countMax - (given.get(taker)?.length ?? 0),
        taker.holder.inFlightMax - taker.holder.count,
      );
    const hasRoom = (taker: Taker): boolean => roomOf(taker) > 0;
    let turns = [...this.#takers].filter(({ mode }) => mode !== "ready").filter(hasRoom);
    const total = turns.reduce((sum, taker) => sum + roomOf(taker), 0);
    if (total === 0) return false;
    const countMax = Math.min(total, SERVED_MAX);
    const rows = this.#sql.ready.all(this.id, countMax);
    let buried = false;
    for (const row of rows) {
      const [taker, ...rest] = turns;
      if (taker === undefined) break;
      const message = this.#give(row, taker.holder, nowMs);
      if (message === undefined) {
        buried = true;
        continue;
      }
      given.set(taker, [...(given.get(taker) ?? []), message]);
      turns = hasRoom(taker) ? [...rest, taker] : rest;
    }
    // What was buried made room for others, and perhaps the next of its key ready.
    return buried;
  }

  #give(
    row: Readonly<Record<string, unknown>>,
    holder: Holder,
    nowMs: number,
  ): KeptMessage | undefined {
    const sequence = Number(row["sequence"]);
    const attempt = Number(row["attempt"]);
    const key = readKey(row["key"]);
    const message = this.#sql.read(sequence);
    if (attempt >= holder.attemptsMax || message?.whole !== true) {
      const spent = `not acknowledged in ${attempt} attempts`;
      this.#bury(sequence, key, attempt >= holder.attemptsMax ? spent : "damaged on disk");
      return undefined;
    }
    this.#sql.give.run(this.id, sequence);
    this.#hold(sequence, { holder, key, dueMs: nowMs + holder.ackTimeoutMs });
    return { ...message, attempt: attempt + 1 };
  }

  #hold(sequence: number, held: Held): void {
    this.#held.set(sequence, held);
    held.holder.count++;
    this.#dueMs = Math.min(this.#dueMs, held.dueMs);
    this.#room.onUndo(() => {
      this.#held.delete(sequence);
      held.holder.count--;
    });
  }

  #drop(sequence: number): Held {
    const held = this.#held.get(sequence);
    if (held === undefined) throw new Error(`nobody holds ${sequence}`);
    this.#held.delete(sequence);
    held.holder.count--;
    this.#room.touch(this);
    this.#room.onUndo(() => {
      this.#held.set(sequence, held);
      held.holder.count++;
    });
    return held;
  }

  #remove(sequence: number, key: string | null): number {
    const row = this.#sql.remove.get(this.id, sequence);
    if (key !== null) this.#sql.follow.run({ id: this.id, key });
    this.#room.noteSettled();
    return Number(row?.["attempt"]);
  }

  #bury(sequence: number, key: string | null, reason: string): void {
    const message = this.#sql.read(sequence);
    const attempt = this.#remove(sequence, key);
    if (message === undefined || message.subject.endsWith(DEAD)) return;
    const { subject, payload, headers } = message;
    const why = {
      "dead-reason": reason,
      "dead-sequence": `${sequence}`,
      "dead-attempts": `${attempt}`,
      "dead-group": this.#name,
    };
    this.#room.append({
      subject: subject + DEAD,
      payload,
      ...(key !== null && { key }),
      headers: { ...headers, ...why },
      atMs: this.#room.clock.nowMs(),
    });
  }

  /** What was held for too long, and what has waited long enough, is ready. */
  #expire(nowMs: number): void {
    let next = Number.POSITIVE_INFINITY;
    for (const [sequence, { dueMs }] of this.#held)
      if (dueMs <= nowMs) this.giveBack(sequence, {});
      else next = Math.min(next, dueMs);
    this.#sql.wake.run(this.id, nowMs);
    const delayed = this.#sql.due.get(this.id)?.["at"];
    this.#dueMs = typeof delayed === "number" ? Math.min(next, delayed) : next;
    this.#room.onUndo(() => (this.#dueMs = 0));
  }

  /** Serves those who wait once something is due. */
  #wait(nowMs: number): void {
    const atMs = this.#dueMs;
    if (atMs === Number.POSITIVE_INFINITY) return;
    if (this.#timer !== undefined && this.#timer.atMs <= atMs) return;
    this.#timer?.ending.abort();
    const ending = new AbortController();
    this.#timer = { atMs, ending };
    void this.#room.clock.sleep(Math.max(1, atMs - nowMs), ending.signal).then(
      () => {
        this.#timer = undefined;
        this.#room.touch(this);
      },
      () => undefined,
    );
  }
}

function readKey(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
