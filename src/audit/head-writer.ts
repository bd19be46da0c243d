// SPDX-License-Identifier: Apache-2.0
// Takes heads to their keepers: each gets the newest one at once, and again after a second when it could not take it.
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { AuditHead, HeadKeeper } from "./audit.ts";
import type { HeadKey } from "./head.ts";

interface HeadWriterOptions {
  readonly node: string;
  readonly key: HeadKey;
  readonly keepers: readonly HeadKeeper[];
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface HeadWriter {
  set(head: Pick<AuditHead, "seq" | "hash">): void;
  /** Resolves once no keeper has one to write, or cannot. */
  settled(): Promise<void>;
  /** Tries once more what is not written. */
  close(): Promise<void>;
}

const RETRY_MS = 1_000;

/** One keeper, with at most one write under way. */
function createCourier(keeper: HeadKeeper, { clock, logger }: HeadWriterOptions) {
  const stopping = new AbortController();
  let wanted: AuditHead | undefined;
  let isAway = false;
  let running: Promise<void> | undefined;

  async function deliver(): Promise<void> {
    while (wanted !== undefined) {
      const head = wanted;
      try {
        await keeper.write(head);
      } catch (thrown) {
        const reason = thrown instanceof Error ? thrown.message : String(thrown);
        if (!isAway)
          logger.warn("a head of the audit log is not kept", { keeper: keeper.name, reason });
        isAway = true;
        clock.sleep(RETRY_MS, stopping.signal).then(start, () => undefined);
        return;
      }
      isAway = false;
      if (wanted === head) wanted = undefined;
    }
  }

  function start(): void {
    running ??= deliver().finally(() => {
      running = undefined;
      if (wanted !== undefined && !isAway) start();
    });
  }

  return {
    set(head: AuditHead): void {
      wanted = head;
      if (!isAway) start();
    },
    async settled(): Promise<void> {
      while (running !== undefined) await running;
    },
    async close(): Promise<void> {
      isAway = false;
      start();
      while (running !== undefined) await running;
      stopping.abort();
    },
  };
}

/** Makes the writer of a log. */
export function createHeadWriter(options: HeadWriterOptions): HeadWriter {
  const { node, key, clock } = options;
  const couriers = options.keepers.map((keeper) => createCourier(keeper, options));
  return {
    set({ seq, hash }) {
      const head = key.sign({ node, seq, hash, atMs: clock.nowMs() });
      for (const courier of couriers) courier.set(head);
    },
    async settled() {
      await Promise.all(couriers.map((courier) => courier.settled()));
    },
    async close() {
      await Promise.all(couriers.map((courier) => courier.close()));
    },
  };
}
