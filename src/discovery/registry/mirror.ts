// SPDX-License-Identifier: Apache-2.0
// Brings what is in the store into the roster: a list, then each change after its revision; and again from a list when
// the store has dropped that part of its history.
import type { GoneReason } from "@fairlead/protocol/agent.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { Roster } from "#discovery/roster.ts";
import type { Revision, Snapshot, Store, StoreChange } from "#store/store.ts";
import type { OwnEntries } from "./own-entries.ts";
import { readRegistryKey, REGISTRY_PREFIX, RegistryEntry } from "./registry-keys.ts";

export interface MirrorOptions {
  readonly store: Store;
  readonly roster: Roster;
  readonly own: OwnEntries;
  readonly member: string;
}

export interface Mirror {
  /** Reads what there is. Throws what the store throws. */
  begin(): Promise<void>;
  /** Follows until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

const RETRY_MS = 500;

/** A mirror of the registry that has not begun. */
export function createMirror(
  { store, roster, own, member }: MirrorOptions,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Mirror {
  /** Agents in the store, by key. */
  const known = new Map<string, { readonly id: string; readonly by: string }>();
  const members = new Set<string>();
  let revision: Revision = 0;

  function put(key: string, value: unknown, at: Revision): void {
    const parsed = RegistryEntry.safeParse(value);
    if (!parsed.success) {
      logger.warn("an entry of the registry cannot be read", { key });
      return;
    }
    const { by, record } = parsed.data;
    known.set(key, { id: record.id, by });
    // Our own came into the roster when they were announced.
    if (by !== member && own.yieldTo(record, at)) roster.put(record);
  }

  function remove(key: string, lost: ReadonlySet<string>): void {
    const entry = known.get(key);
    known.delete(key);
    // Ours is not gone when the store has lost it: it is written again.
    if (entry === undefined || own.has(entry.id)) return;
    const reason: GoneReason = lost.has(entry.by) ? "expired" : "left";
    roster.remove(entry.id, reason);
  }

  /** Members that this transaction took away: a lease that ran out takes them together with their agents. */
  function noteMembers(changes: readonly StoreChange[]): ReadonlySet<string> {
    const lost = new Set<string>();
    for (const { kind, key } of changes) {
      const read = readRegistryKey(key);
      if (read.kind !== "member") continue;
      if (kind === "put") members.add(read.member);
      else if (members.delete(read.member)) lost.add(read.member);
    }
    return lost;
  }

  function apply(changes: readonly StoreChange[]): void {
    const lost = noteMembers(changes);
    for (const change of changes) {
      revision = change.revision;
      if (readRegistryKey(change.key).kind !== "agent") continue;
      if (change.kind === "put") put(change.key, change.value, change.revision);
      else remove(change.key, lost);
    }
  }

  function replace({ entries, revision: at }: Snapshot): void {
    const keys = new Set(entries.map(({ key }) => key));
    const present = entries.flatMap(({ key }) => {
      const read = readRegistryKey(key);
      return read.kind === "member" ? [read.member] : [];
    });
    const lost = members.difference(new Set(present));
    members.clear();
    for (const one of present) members.add(one);
    for (const key of known.keys()) if (!keys.has(key)) remove(key, lost);
    for (const entry of entries)
      if (readRegistryKey(entry.key).kind === "agent") put(entry.key, entry.value, entry.revision);
    revision = at;
  }

  async function begin(): Promise<void> {
    replace(await store.list(REGISTRY_PREFIX));
  }

  return {
    begin,
    async run(signal) {
      while (!signal.aborted) {
        try {
          for await (const changes of store.watch(REGISTRY_PREFIX, revision, { signal }))
            apply(changes);
        } catch (thrown) {
          if (signal.aborted) return;
          logger.info("the registry is listed anew", {
            reason: FairleadError.from(thrown).message,
          });
          await begin().catch(() => clock.sleep(RETRY_MS, signal).catch(() => undefined));
        }
      }
    },
  };
}
