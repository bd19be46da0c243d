// SPDX-License-Identifier: Apache-2.0
// What this side announces, as messages. Each record has a slot of its own that is never used again.
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import { FairleadError } from "#base/errors.ts";
import { discoveryErrors } from "#discovery/errors.ts";
import { LAST_SLOT, PART_BYTES_MAX, PARTS_MAX, SLOTS_MAX, type Message } from "./datagram.ts";

export interface OwnRecords {
  /** Puts a record into its slot; returns the slot, or undefined when nothing changed. Throws when it is too large. */
  put(record: AgentRecord): number | undefined;
  remove(id: string): void;
  ids(): readonly string[];
  /** Slots there are. */
  slots(): readonly number[];
  /** The messages that carry a slot's record; none when it is gone. */
  listParts(slot: number): readonly Message[];
  /** "I live", in as many messages as all slots take. */
  listBeats(intervalMs: number): readonly Message[];
}

interface Own {
  readonly slot: number;
  readonly revision: number;
  readonly text: string;
}

function cutParts({ slot, revision, text }: Own): Message[] {
  const bytes = Buffer.from(text, "utf8");
  const parts = Math.ceil(bytes.length / PART_BYTES_MAX);
  return Array.from({ length: parts }, (_, part) => {
    const from = part * PART_BYTES_MAX;
    const piece = bytes.subarray(from, from + PART_BYTES_MAX);
    return { kind: "part", slot, revision, part, parts, bytes: piece };
  });
}

/** No records yet. */
export function createOwnRecords(): OwnRecords {
  const records = new Map<string, Own>();
  const bySlot = new Map<number, string>();
  let nextSlot = 1;
  return {
    put(record) {
      const text = JSON.stringify(record);
      const bytes = Buffer.byteLength(text);
      if (bytes > PART_BYTES_MAX * PARTS_MAX) {
        throw new FairleadError(
          discoveryErrors["multicast-record-too-large"],
          `The record of ${record.name} is too large for multicast`,
          { facts: { bytes, "bytes at most": PART_BYTES_MAX * PARTS_MAX } },
        );
      }
      const former = records.get(record.id);
      if (former?.text === text) return undefined;
      const slot = former?.slot ?? nextSlot++;
      records.set(record.id, { slot, revision: (former?.revision ?? 0) + 1, text });
      bySlot.set(slot, record.id);
      return slot;
    },
    remove(id) {
      bySlot.delete(records.get(id)?.slot ?? 0);
      records.delete(id);
    },
    ids: () => [...records.keys()],
    slots: () => [...bySlot.keys()],
    listParts(slot) {
      const own = records.get(bySlot.get(slot) ?? "");
      return own === undefined ? [] : cutParts(own);
    },
    listBeats(intervalMs) {
      const all = [...records.values()].sort((a, b) => a.slot - b.slot);
      const pages = Math.max(1, Math.ceil(all.length / SLOTS_MAX));
      return Array.from({ length: pages }, (_, page) => {
        const slots = all.slice(page * SLOTS_MAX, (page + 1) * SLOTS_MAX);
        // Pages adjoin: what is named on none of them is gone.
        const from = page === 0 ? 0 : (slots[0]?.slot ?? 0);
        const until = page === pages - 1 ? LAST_SLOT : (all[(page + 1) * SLOTS_MAX]?.slot ?? 1) - 1;
        return { kind: "beat", intervalMs, from, until, slots };
      });
    },
  };
}
