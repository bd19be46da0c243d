// SPDX-License-Identifier: Apache-2.0
// Entries of one room of the board, put together by a part of their keys. Only groups that changed are made anew, so that
// one change among thousands of entries costs what its own group does.
import type { Entry } from "#store/store.ts";
import type { FleetBoard } from "./fleet-board.ts";

/** Where an entry belongs: its group, and its name within that. */
export type Place = readonly [group: string, member: string];

export interface BoardIndex<T> {
  /** What a group has now, by name. The same object until the group changes. */
  of(group: string): ReadonlyMap<string, T>;
}

export interface BoardIndexOptions<T> {
  readonly board: Pick<FleetBoard, "list" | "onChange">;
  readonly room: string;
  /** Where an entry belongs, by what follows `room/` in its key. */
  readonly placeOf: (rest: string) => Place;
  /** Undefined for an entry that does not count. */
  readonly read: (entry: Entry) => T | undefined;
}

/** `a/b/c` split at the first slash. */
export function splitAtSlash(text: string): Place {
  const at = text.indexOf("/");
  return [text.slice(0, at), text.slice(at + 1)];
}

/** Makes the index; it reads the board when it is asked. */
export function createBoardIndex<T>(options: BoardIndexOptions<T>): BoardIndex<T> {
  const { board, room, placeOf, read } = options;
  const nothing: ReadonlyMap<string, T> = new Map();
  let groups: Map<string, ReadonlyMap<string, T>> | undefined;
  /** Keys that changed since a group was read, by group. */
  const stale = new Map<string, Set<string>>();
  board.onChange((keys) => {
    // Without a word of what has changed anything may have.
    if (keys.length === 0) groups = undefined;
    for (const key of groups === undefined ? [] : keys) {
      if (!key.startsWith(`${room}/`)) continue;
      const rest = key.slice(room.length + 1);
      const [group] = placeOf(rest);
      const own = stale.get(group);
      if (own === undefined) stale.set(group, new Set([rest]));
      else own.add(rest);
    }
  });

  function readAll(): Map<string, ReadonlyMap<string, T>> {
    stale.clear();
    const all = new Map<string, Map<string, T>>();
    for (const [rest, entry] of board.list(room)) {
      const value = read(entry);
      if (value === undefined) continue;
      const [group, member] = placeOf(rest);
      let own = all.get(group);
      if (own === undefined) all.set(group, (own = new Map()));
      own.set(member, value);
    }
    return all;
  }

  function renew(known: Map<string, ReadonlyMap<string, T>>, group: string): void {
    const rests = stale.get(group);
    if (rests === undefined) return;
    stale.delete(group);
    const own = new Map(known.get(group));
    const entries = board.list(room);
    for (const rest of rests) {
      const entry = entries.get(rest);
      const value = entry === undefined ? undefined : read(entry);
      const [, member] = placeOf(rest);
      if (value === undefined) own.delete(member);
      else own.set(member, value);
    }
    if (own.size === 0) known.delete(group);
    else known.set(group, own);
  }

  return {
    of(group) {
      groups ??= readAll();
      renew(groups, group);
      return groups.get(group) ?? nothing;
    },
  };
}
