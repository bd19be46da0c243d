// SPDX-License-Identifier: Apache-2.0
// The roll as the store last told it: whose record stands there, and whose lease lives. What a store forgot is kept for a while.
import { NodeFarewell, type NodeRecord } from "@fairlead/protocol/node.ts";
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { Snapshot, StoreChange } from "#store/store.ts";
import type { NodeTurns } from "./node-turns.ts";
import { readShared } from "./read-shared.ts";
import { createReturning } from "./returning.ts";
import { FAREWELLS, LIVE, NODES, readRecord } from "./roll-entries.ts";

export interface RollRecordsParts {
  /** Id of this node. */
  readonly self: string;
  /** Told of who comes and who goes. */
  readonly turns: Pick<NodeTurns, "expect" | "forget" | "take">;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly logger: Logger;
  /** Called with this node's own record whenever the store tells it: others may have marked it. */
  readonly onOwn: (record: NodeRecord) => void;
}

export interface RollRecords {
  get(id: string): NodeRecord | undefined;
  /** By name; this node too, once it stands there. */
  list(): readonly NodeRecord[];
  /** Whether the lease of a node lives. */
  isLive(id: string): boolean;
  /** Takes in all that the store has, instead of what it had. */
  read(snapshot: Snapshot): void;
  /** Takes in what is new since then; true when a record is another. */
  take(change: StoreChange): boolean;
  /** Drops those that the store forgot and that have not entered again in their time; true when there were any. */
  dropLate(): boolean;
}

function sortByName(records: Iterable<NodeRecord>): readonly NodeRecord[] {
  return [...records].sort((a, b) => a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1));
}

/** Makes it, empty. */
export function createRollRecords(parts: RollRecordsParts): RollRecords {
  const { self, turns, clock, logger, onOwn } = parts;
  const records = new Map<string, NodeRecord>();
  /** As they are listed; undefined after a change. */
  let order: readonly NodeRecord[] | undefined;
  const live = new Set<string>();
  const returning = createReturning(clock);

  function put(record: NodeRecord): void {
    records.set(record.id, record);
    returning.forget(record.id);
    order = undefined;
    if (record.id === self) onOwn(record);
  }

  function drop(id: string): void {
    records.delete(id);
    returning.forget(id);
    order = undefined;
    turns.forget(id);
  }

  function takeFarewell(value: unknown): void {
    const farewell = readShared(NodeFarewell, value);
    if (farewell !== undefined && farewell.at !== self) turns.take(farewell);
  }

  /** True when it was a record. */
  function takeEntry({ key, value }: Pick<StoreChange, "key" | "value">): boolean {
    const id = key.slice(key.lastIndexOf("/") + 1);
    if (key.startsWith(LIVE)) {
      if (value === undefined) live.delete(id);
      else live.add(id);
    }
    if (!key.startsWith(NODES)) return false;
    const record = readRecord({ value });
    if (record !== undefined) put(record);
    else if (value === undefined) drop(id);
    else {
      logger.warn("an entry of the roll cannot be read", { key });
      return false;
    }
    return true;
  }

  /** Who came and went while the store was away. Who left said farewell; the others the store has lost, and they enter again. */
  function catchUp(before: ReadonlyMap<string, NodeRecord>, { entries }: Snapshot): void {
    for (const id of records.keys()) if (!before.has(id) && id !== self) turns.expect(id);
    for (const [id, record] of before) {
      if (records.has(id)) continue;
      const farewell = entries.find(({ key }) => key === FAREWELLS + id);
      if (farewell === undefined && id !== self) {
        put(record);
        returning.expect(id);
        continue;
      }
      turns.forget(id);
      takeFarewell(farewell?.value);
    }
  }

  return {
    get: (id) => records.get(id),
    list: () => (order ??= sortByName(records.values())),
    isLive: (id) => live.has(id),
    read(snapshot) {
      const before = new Map(records);
      records.clear();
      order = undefined;
      live.clear();
      for (const entry of snapshot.entries) takeEntry(entry);
      if (before.size > 0) catchUp(before, snapshot);
    },
    take(change) {
      const { key, value } = change;
      const id = key.slice(key.lastIndexOf("/") + 1);
      if (key.startsWith(FAREWELLS)) takeFarewell(value);
      if (key.startsWith(NODES) && id !== self && !records.has(id)) turns.expect(id);
      return takeEntry(change);
    },
    dropLate() {
      const late = returning.takeLate();
      for (const id of late) drop(id);
      return late.length > 0;
    },
  };
}
