// SPDX-License-Identifier: Apache-2.0
// Discovery on the store: agents are entries that hang on the lease of the member who announces them. Whoever has the
// store sees the same agents; a member that dies takes its own with it when its lease has run out.
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import type { Clock, Random } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { createId } from "#base/ids.ts";
import type { Logger } from "#base/logger.ts";
import type { Announcement, Discovery } from "#discovery/discovery.ts";
import { discoveryErrors } from "#discovery/errors.ts";
import { createRoster } from "#discovery/roster.ts";
import type { Store } from "#store/store.ts";
import { createMirror } from "./mirror.ts";
import { createOwnEntries } from "./own-entries.ts";
import { readRegistryKey, REGISTRY_PREFIX, RegistryMember } from "./registry-keys.ts";

export interface RegistryOptions {
  readonly store: Store;
  /** Name of this node. What a former life under this name left in the store is taken back. */
  readonly name: string;
  /** After how long in silence its agents are gone. Default 10,000; 300 or more. */
  readonly leaseMs?: number;
  /** Least time between two writes of one record: what changes in between is written once. Default 0. */
  readonly settleMs?: number;
}

export interface RegistryParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const LEASE_MS = 10_000;

/** Ends leases of lives that this name had before, which a killed process could not end. */
async function buryFormer(store: Store, name: string): Promise<void> {
  const { entries } = await store.list(REGISTRY_PREFIX);
  for (const { key, value } of entries) {
    if (readRegistryKey(key).kind !== "member") continue;
    const member = RegistryMember.safeParse(value);
    if (member.success && member.data.name === name) await store.revokeLease(member.data.lease);
  }
}

/**
 * Opens the registry; a store that cannot be written now is asked again with each renewal. Throws when it cannot be read.
 * Disposing takes back what was announced; the store stays open.
 */
export async function openRegistry(
  options: RegistryOptions,
  { clock, random, logger }: RegistryParts,
): Promise<Discovery> {
  const { store, name, leaseMs = LEASE_MS, settleMs = 0 } = options;
  const member = createId("mem", clock.nowMs(), random);
  const closing = new AbortController();
  const roster = createRoster();
  const own = createOwnEntries(
    { store, member, name, leaseMs, settleMs, onReplaced: (record) => void roster.put(record) },
    { clock, logger },
  );
  const mirror = createMirror({ store, roster, own, member }, { clock, logger });
  try {
    await buryFormer(store, name);
    await own.open();
  } catch (thrown) {
    logger.warn("the registry cannot be written yet", {
      reason: FairleadError.from(thrown).message,
    });
  }
  await mirror.begin();
  const running = Promise.all([mirror.run(closing.signal), own.keep(closing.signal)]);

  async function takeBack(record: AgentRecord): Promise<void> {
    // An announcement that was replaced has nothing to take back.
    if (own.find(record.id) !== record) return;
    roster.remove(record.id, "left");
    await own.remove(record.id);
  }

  return {
    kind: "registry",
    async announce(record): Promise<Announcement> {
      if (closing.signal.aborted)
        throw new FairleadError(discoveryErrors["discovery-closed"], "This discovery is closed");
      const copy = structuredClone(record);
      const changed = roster.put(copy);
      await own.put(copy, changed);
      return { id: copy.id, [Symbol.asyncDispose]: () => takeBack(copy) };
    },
    watch: (signal) => roster.watch(signal),
    list: () => roster.list(),
    async [Symbol.asyncDispose]() {
      if (closing.signal.aborted) return;
      closing.abort();
      await running;
      roster.close();
      await own.close();
    },
  };
}
