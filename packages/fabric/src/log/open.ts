// SPDX-License-Identifier: Apache-2.0
// Opens a message log: one connection, one owner. The memory driver is the same on a database without a file.
import { FabricError } from "@fairlead/fabric/errors.ts";
import { createCommitQueue, type Durability } from "./commit-queue.ts";
import { createGroup } from "./group.ts";
import { createIdleGroups, type IdleGroup } from "./idle-groups.ts";
import type { GroupOptions, LogClock, MessageLog } from "./message-log.ts";
import { readStats } from "./read-stats.ts";
import { openDatabase } from "./schema.ts";
import { SharedGroup, type Room } from "./shared-group.ts";
import { createWriter, NO_LIMIT } from "./writer.ts";

export type LogOptions = {
  /** How long a repeated id is recognised. Default two minutes. */
  readonly dedupeMs?: number;
  /** What every group has acknowledged is deleted after this. Default one day. */
  readonly ageMaxMs?: number;
  /** Payloads, subjects and headers together. Default 1 GiB. */
  readonly bytesMax?: number;
  /** A durable group that nobody reads goes, with what waits for it, after so long with the log open. Default a week. */
  readonly keepGroupsMs?: number;
} & ({ readonly kind: "sqlite"; readonly path: string } | { readonly kind: "memory" });

export interface LogParts {
  readonly clock: LogClock;
  /** Told of a group that went since nobody read it. */
  readonly onGroupOver?: (group: IdleGroup) => void;
}

const DAY_MS = 86_400_000;

/** Opens or creates the log; the caller disposes of it. Throws `log-full`, `log-corrupt`, `log-locked`. */
export function openLog(options: LogOptions, parts: LogParts): MessageLog {
  const { clock } = parts;
  const { dedupeMs = 120_000, ageMaxMs = DAY_MS, bytesMax = 2 ** 30 } = options;
  const db = openDatabase(options.kind === "sqlite" ? options.path : ":memory:", clock);
  /** Groups with handles. */
  const open = new Map<number, { readonly shared: SharedGroup; handles: number }>();
  let touched = new Set<SharedGroup>();
  let closed = false;
  let ephemeral = 0;
  const queue = createCommitQueue(db, (outcomes) => {
    const groups = touched;
    touched = new Set();
    for (const group of groups) outcomes.push(...group.serve());
  });
  const { onUndo } = queue;
  const idle = createIdleGroups({
    db,
    clock,
    onUndo,
    keepMs: options.keepGroupsMs ?? 7 * DAY_MS,
  });
  const touch = (group: SharedGroup): void => {
    if (closed) return;
    touched.add(group);
    queue.wake();
  };
  const writer = createWriter({
    db,
    clock,
    limits: { dedupeMs, ageMaxMs, bytesMax },
    onUndo,
    onPending(groupId) {
      const group = open.get(groupId);
      if (group !== undefined) touch(group.shared);
    },
  });
  async function run<T>(work: () => T, durability: Durability): Promise<T> {
    if (closed) throw closedError();
    return queue.run(work, durability);
  }
  const room: Room = {
    db,
    clock,
    onUndo,
    touch,
    run: (work) => run(work, "process"),
    append: (publication) => void writer.append(publication, NO_LIMIT),
    noteSettled: () => writer.noteSettled(),
  };

  /** Work: one handle more. */
  function join(groupId: number, name: string) {
    const group = open.get(groupId) ?? {
      shared: new SharedGroup(room, groupId, name),
      handles: 0,
    };
    open.set(groupId, group);
    group.handles++;
    onUndo(() => --group.handles === 0 && open.delete(groupId));
    return group;
  }

  /** Work: one less. */
  function leave(groupId: number, durable: boolean): void {
    const group = open.get(groupId);
    if (group === undefined || --group.handles > 0) return;
    group.shared.close(closedError());
    open.delete(groupId);
    if (durable) idle.leave(groupId);
    else removeGroup(groupId);
  }

  function removeGroup(groupId: number): void {
    for (const table of ["pending", "idle", "groups"])
      db.prepare(`DELETE FROM ${table} WHERE group_id = ?`).run(groupId);
    writer.noteSettled();
    writer.forgetGroups();
  }

  /** Work of its own: a message that is refused must not keep them. */
  async function removeOver(): Promise<void> {
    const over = await run(() => {
      const groups = idle.listOver();
      for (const { id } of groups) removeGroup(id);
      return groups;
    }, "disk");
    for (const group of over) parts.onGroupOver?.(group);
  }

  return {
    publish(publication) {
      // What fails there is done with the next message.
      if (idle.isDue) removeOver().catch(() => undefined);
      return run(() => writer.publish(publication), "disk");
    },
    async openGroup(options: GroupOptions) {
      const name = options.name ?? `(ephemeral ${++ephemeral})`;
      const group = await run(() => {
        const id = writer.addGroup(name, options);
        idle.use(id);
        return join(id, name);
      }, "disk");
      return createGroup(room, group.shared, options, () =>
        leave(group.shared.id, options.name !== undefined),
      );
    },
    stats: () => readStats(db, writer.sizeBytes, idle),
    async [Symbol.asyncDispose]() {
      if (closed) return;
      queue.flush();
      closed = true;
      for (const { shared } of open.values()) shared.close(closedError());
      db.close();
    },
  };
}

function closedError(): FabricError {
  return new FabricError("failed_precondition", "the message log is closed", {
    reason: "log-closed",
  });
}
