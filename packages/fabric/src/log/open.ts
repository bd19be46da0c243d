// SPDX-License-Identifier: Apache-2.0
// Opens a message log: one connection, one owner. The memory driver is the same on a database without a file.
import { FabricError } from "@fairlead/fabric/errors.ts";
import { createCommitQueue, type Durability } from "./commit-queue.ts";
import { createGroup } from "./group.ts";
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
} & ({ readonly kind: "sqlite"; readonly path: string } | { readonly kind: "memory" });

/** Opens or creates the log; the caller disposes of it. Throws `log-full`, `log-corrupt`, `log-locked`. */
export function openLog(options: LogOptions, { clock }: { clock: LogClock }): MessageLog {
  const { dedupeMs = 120_000, ageMaxMs = 86_400_000, bytesMax = 2 ** 30 } = options;
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

  function leave(groupId: number, durable: boolean): void {
    const group = open.get(groupId);
    if (group === undefined || --group.handles > 0) return;
    group.shared.close(closedError());
    open.delete(groupId);
    if (durable) return;
    db.prepare("DELETE FROM pending WHERE group_id = ?").run(groupId);
    db.prepare("DELETE FROM groups WHERE group_id = ?").run(groupId);
    writer.noteSettled();
    writer.forgetGroups();
  }

  return {
    publish: (publication) => run(() => writer.publish(publication), "disk"),
    async openGroup(options: GroupOptions) {
      const name = options.name ?? `(ephemeral ${++ephemeral})`;
      const groupId = await run(() => writer.addGroup(name, options), "disk");
      const known = open.get(groupId);
      const group = known ?? { shared: new SharedGroup(room, groupId, name), handles: 0 };
      open.set(groupId, group);
      group.handles++;
      return createGroup(room, group.shared, options, () =>
        leave(groupId, options.name !== undefined),
      );
    },
    stats: () => readStats(db, writer.sizeBytes),
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
