// SPDX-License-Identifier: Apache-2.0
// What this member announces, and its way into the store: one write of a record at a time, the newest wins, and all hang
// on one lease. A store that refuses now is asked again with each renewal.
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { Revision, Store } from "#store/store.ts";
import { keyOfAgent, keyOfMember } from "./registry-keys.ts";

interface Own {
  record: AgentRecord;
  /** Revision that wrote it last; 0 before the first. */
  revision: Revision;
  dirty: boolean;
  writing: Promise<void> | undefined;
  writtenAtMs: number;
  /** Somebody else put a record of this id while ours was on its way. */
  rival: { readonly revision: Revision; readonly record: AgentRecord } | undefined;
}

export interface OwnEntriesOptions {
  readonly store: Store;
  /** Unique to one life of a member. */
  readonly member: string;
  /** What the member is called, in this life and others. */
  readonly name: string;
  readonly leaseMs: number;
  readonly settleMs: number;
  /** An id that was announced here is another member's now. */
  readonly onReplaced: (record: AgentRecord) => void;
}

export interface OwnEntries {
  has(id: string): boolean;
  /** The record itself, to be compared by identity. */
  find(id: string): AgentRecord | undefined;
  /** Resolves when the store has it, or has refused it for now. One that has not `changed` is not written again. */
  put(record: AgentRecord, changed: boolean): Promise<void>;
  /** Resolves when the store has forgotten it, or has refused to for now. */
  remove(id: string): Promise<void>;
  /** Somebody else has put a record of an id that is ours. True when theirs is the newer one. */
  yieldTo(record: AgentRecord, revision: Revision): boolean;
  /** Takes the lease. Throws what the store throws. */
  open(): Promise<void>;
  /** Keeps the lease, and takes another one where it was lost, until the signal aborts. */
  keep(signal: AbortSignal): Promise<void>;
  /** Takes everything back. */
  close(): Promise<void>;
}

const RENEWALS_PER_LEASE = 3;

/** Entries of a member that has announced nothing. */
export function createOwnEntries(
  options: OwnEntriesOptions,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): OwnEntries {
  const { store, member, name, leaseMs, settleMs } = options;
  const entries = new Map<string, Own>();
  /** Taken back, and not yet out of the store. */
  const doomed = new Map<string, Own>();
  const closing = new AbortController();
  let lease = "";

  async function open(): Promise<void> {
    const granted = await store.grantLease(leaseMs);
    lease = granted.id;
    const value = { name, lease };
    await store.transact([{ kind: "put", key: keyOfMember(member), value, lease }]);
  }

  async function writeOnce(id: string, own: Own): Promise<void> {
    own.dirty = false;
    own.writtenAtMs = clock.monotonicMs();
    const value = { by: member, record: own.record };
    const revision = await store.transact([{ kind: "put", key: keyOfAgent(id), value, lease }]);
    own.revision = revision ?? own.revision;
    const { rival } = own;
    own.rival = undefined;
    if (rival === undefined || rival.revision < own.revision || entries.get(id) !== own) return;
    entries.delete(id);
    options.onReplaced(rival.record);
  }

  async function settle(own: Own): Promise<void> {
    const waitMs = own.writtenAtMs + settleMs - clock.monotonicMs();
    if (waitMs > 0) await clock.sleep(waitMs, closing.signal).catch(() => undefined);
  }

  async function writeAll(id: string, own: Own): Promise<void> {
    try {
      while (own.dirty && entries.get(id) === own) {
        await settle(own);
        if (entries.get(id) === own) await writeOnce(id, own);
      }
    } catch (thrown) {
      own.dirty = true;
      complain("the registry could not be written, and will be again", thrown, id);
    } finally {
      own.writing = undefined;
    }
  }

  function write(id: string, own: Own): Promise<void> {
    own.dirty = true;
    own.writing ??= writeAll(id, own);
    return own.writing;
  }

  function complain(message: string, thrown: unknown, agent = ""): void {
    logger.warn(message, { agent, reason: FairleadError.from(thrown).message });
  }

  /** Removes the key if it still is ours. */
  async function erase(id: string, own: Own): Promise<void> {
    const key = keyOfAgent(id);
    try {
      if (own.revision > 0)
        await store.transact([{ kind: "delete", key }], [{ key, revision: own.revision }]);
      doomed.delete(id);
    } catch (thrown) {
      doomed.set(id, own);
      complain("an agent that left is still in the registry", thrown, id);
    }
  }

  async function renew(): Promise<void> {
    if (!(await store.renewLease(lease))) {
      await open();
      for (const own of entries.values()) own.dirty = true;
    }
    const late = [...entries].filter(([, own]) => own.dirty);
    await Promise.all(late.map(([id, own]) => write(id, own)));
    await Promise.all([...doomed].map(([id, own]) => erase(id, own)));
  }

  return {
    open,
    has: (id) => entries.has(id),
    find: (id) => entries.get(id)?.record,
    put(record, changed) {
      const known = entries.get(record.id);
      if (known !== undefined && !changed) {
        known.record = record;
        return known.writing ?? Promise.resolve();
      }
      const own: Own = known ?? {
        record,
        revision: 0,
        dirty: true,
        writing: undefined,
        writtenAtMs: Number.NEGATIVE_INFINITY,
        rival: undefined,
      };
      own.record = record;
      entries.set(record.id, own);
      return write(record.id, own);
    },
    async remove(id) {
      const own = entries.get(id);
      if (own === undefined) return;
      entries.delete(id);
      await own.writing;
      // It came back meanwhile: that one stays.
      if (!entries.has(id)) await erase(id, own);
    },
    yieldTo(record, revision) {
      const own = entries.get(record.id);
      if (own === undefined) return true;
      if (own.writing !== undefined) own.rival = { record, revision };
      if (own.writing !== undefined || revision < own.revision) return false;
      entries.delete(record.id);
      return true;
    },
    async keep(signal) {
      while (!signal.aborted) {
        await clock.sleep(leaseMs / RENEWALS_PER_LEASE, signal).catch(() => undefined);
        if (signal.aborted) return;
        await renew().catch((thrown: unknown) =>
          complain("the registry's lease could not be renewed", thrown),
        );
      }
    },
    async close() {
      closing.abort();
      const writing = [...entries.values()].flatMap((own) => own.writing ?? []);
      entries.clear();
      await Promise.all(writing);
      try {
        // The member first: what goes after it has left, and has not been lost.
        await store.transact([{ kind: "delete", key: keyOfMember(member) }]);
        await store.revokeLease(lease);
      } catch (thrown) {
        complain("what this node announced stays in the registry until its lease ends", thrown);
      }
    },
  };
}
