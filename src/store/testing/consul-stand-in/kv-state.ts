// SPDX-License-Identifier: Apache-2.0
// What a Consul would have: entries, what was deleted, sessions, and one growing index. Written after its documentation.
import { randomUUID } from "node:crypto";
import type { KvPair, TxnError, TxnOperation } from "#store/drivers/consul/messages.ts";

interface Row {
  readonly Value: string | null;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
  readonly LockIndex: number;
  readonly Session: string;
}

interface SessionRow {
  readonly behavior: string;
  readonly lockDelayMs: number;
}

export interface KvState {
  /** The newest index of all entries. */
  readonly tableIndex: number;
  /** What stands under a prefix, by key, and the index of the newest change there. */
  list(prefix: string): { readonly index: number; readonly pairs: readonly KvPair[] };
  get(key: string): KvPair | undefined;
  /** Applies all or none. */
  transact(
    operations: readonly TxnOperation[],
  ): { readonly results: readonly KvPair[] } | { readonly errors: readonly TxnError[] };
  createSession(session: SessionRow): string;
  hasSession(id: string): boolean;
  /** Ends it: its entries go, or stay without it. */
  endSession(id: string): void;
  /** Forgets what was deleted, as Consul does after a quarter of an hour. */
  reapTombstones(): void;
  /** Loses everything, and begins to count anew. */
  wipe(): void;
  /** Calls it after each change; returns how to end that. */
  onChange(listener: () => void): () => void;
}

const FIRST_INDEX = 10;
const WRITES: ReadonlySet<string> = new Set(["set", "lock", "delete"]);

class Failed extends Error {}

/** A state that changes in one place, so that a transaction is all or nothing. */
class Draft {
  readonly rows: Map<string, Row>;
  readonly tombstones: Map<string, number>;
  readonly index: number;
  hasChanged = false;
  constructor(rows: Map<string, Row>, tombstones: Map<string, number>, index: number) {
    this.rows = new Map(rows);
    this.tombstones = new Map(tombstones);
    this.index = index;
  }

  put(
    key: string,
    Value: string | null,
    { Session, LockIndex }: Pick<Row, "Session" | "LockIndex">,
  ) {
    const before = this.rows.get(key);
    const isSame =
      before?.Value === Value && before.Session === Session && before.LockIndex === LockIndex;
    if (isSame) return;
    const CreateIndex = before?.CreateIndex ?? this.index;
    this.rows.set(key, { Value, CreateIndex, ModifyIndex: this.index, LockIndex, Session });
    this.hasChanged = true;
  }

  remove(key: string): void {
    if (!this.rows.delete(key)) return;
    this.tombstones.set(key, this.index);
    this.hasChanged = true;
  }
}

/** An empty state. */
export function createKvState({ nowMs }: { readonly nowMs: () => number }): KvState {
  let rows = new Map<string, Row>();
  let tombstones = new Map<string, number>();
  const sessions = new Map<string, SessionRow>();
  /** Until when a key cannot be locked. */
  const delays = new Map<string, number>();
  const listeners = new Set<() => void>();
  let index = FIRST_INDEX;
  let tableIndex = FIRST_INDEX;

  function show(key: string, row: Row): KvPair {
    const { Session, ...rest } = row;
    const pair = { Key: key, Flags: 0, ...rest };
    return Session === "" ? pair : { ...pair, Session };
  }

  function commit(draft: Draft): void {
    if (!draft.hasChanged) return;
    ({ rows, tombstones } = draft);
    tableIndex = draft.index;
    for (const listener of listeners) listener();
  }

  const newestOf = (indexes: readonly number[]): number =>
    indexes.reduce((most, one) => Math.max(most, one), 0);

  function list(prefix: string, from: ReadonlyMap<string, Row> = rows) {
    const found = [...from].filter(([key]) => key.startsWith(prefix));
    const gone = [...tombstones].filter(([key]) => key.startsWith(prefix));
    const newest = newestOf([
      ...found.map(([, { ModifyIndex }]) => ModifyIndex),
      ...gone.map(([, at]) => at),
    ]);
    const pairs = found.map(([key, row]) => show(key, row));
    return {
      index: newest === 0 ? tableIndex : newest,
      pairs: pairs.toSorted((a, b) => (a.Key < b.Key ? -1 : 1)),
    };
  }

  function lock(draft: Draft, { Key, Value, Session = "" }: TxnOperation["KV"]): void {
    if ((delays.get(Key) ?? 0) > nowMs())
      throw new Failed(`failed to lock key "${Key}" due to lock delay`);
    if (!sessions.has(Session)) throw new Failed(`invalid session "${Session}"`);
    const before = draft.rows.get(Key);
    const holder = before?.Session ?? "";
    if (holder !== "" && holder !== Session)
      throw new Failed(`failed to lock key "${Key}", lock is already held`);
    const count = before?.LockIndex ?? 0;
    draft.put(Key, Value ?? null, { Session, LockIndex: holder === Session ? count : count + 1 });
  }

  function apply(draft: Draft, { KV }: TxnOperation): readonly KvPair[] {
    const { Verb, Key, Index } = KV;
    const before = draft.rows.get(Key);
    switch (Verb) {
      case "set":
        draft.put(Key, KV.Value ?? null, {
          Session: before?.Session ?? "",
          LockIndex: before?.LockIndex ?? 0,
        });
        break;
      case "lock":
        lock(draft, KV);
        break;
      case "delete":
        draft.remove(Key);
        return [];
      case "get":
        if (before === undefined) throw new Failed(`key "${Key}" doesn't exist`);
        return [show(Key, before)];
      case "get-tree":
        return list(Key, draft.rows).pairs;
      case "check-index":
        if (before === undefined)
          throw new Failed(`failed to check index, key "${Key}" doesn't exist`);
        if (before.ModifyIndex !== Index)
          throw new Failed(`failed index check for key "${Key}", current modify index differs`);
        break;
      case "check-not-exists":
        if (before !== undefined) throw new Failed(`key "${Key}" exists`);
        return [];
      default:
        throw new Failed(`unknown KV verb "${Verb satisfies never}"`);
    }
    const after = draft.rows.get(Key);
    return after === undefined ? [] : [{ ...show(Key, after), Value: null }];
  }

  return {
    get tableIndex() {
      return tableIndex;
    },
    list: (prefix) => list(prefix),
    get(key) {
      const row = rows.get(key);
      return row && show(key, row);
    },
    transact(operations) {
      // What is refused has been written to Consul's log as well.
      if (operations.some(({ KV }) => WRITES.has(KV.Verb))) index++;
      const draft = new Draft(rows, tombstones, index);
      const results: KvPair[] = [];
      const errors: TxnError[] = [];
      for (const [OpIndex, operation] of operations.entries()) {
        try {
          results.push(...apply(draft, operation));
        } catch (thrown) {
          if (!(thrown instanceof Failed)) throw thrown;
          errors.push({ OpIndex, What: thrown.message });
        }
      }
      if (errors.length > 0) return { errors };
      commit(draft);
      return { results };
    },
    createSession(session) {
      index++;
      const id = randomUUID();
      sessions.set(id, session);
      return id;
    },
    hasSession: (id) => sessions.has(id),
    endSession(id) {
      const session = sessions.get(id);
      if (session === undefined) return;
      sessions.delete(id);
      index++;
      const draft = new Draft(rows, tombstones, index);
      for (const [key, row] of rows) {
        if (row.Session !== id) continue;
        if (session.lockDelayMs > 0) delays.set(key, nowMs() + session.lockDelayMs);
        if (session.behavior === "delete") draft.remove(key);
        else draft.put(key, row.Value, { Session: "", LockIndex: row.LockIndex });
      }
      commit(draft);
    },
    reapTombstones() {
      index++;
      tombstones = new Map();
    },
    wipe() {
      rows = new Map();
      tombstones = new Map();
      sessions.clear();
      index = FIRST_INDEX;
      tableIndex = FIRST_INDEX;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
