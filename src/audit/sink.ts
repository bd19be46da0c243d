// SPDX-License-Identifier: Apache-2.0
// Copies of the lines go to other places: a file, a syslog. They are no part of the promise of `append`: a place that is
// away gets its lines later, and no act waits for it.
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";

/** Where copies of lines go. */
export interface AuditSink {
  /** How people know it: `syslog at udp://10.0.0.9:514`. */
  readonly name: string;
  /** Takes lines, each with its newline, in order. Rejects when it could not; then it is given them again. */
  write(lines: readonly Buffer[]): Promise<void>;
  close(): Promise<void>;
}

/** Takes lines to one sink. */
export interface SinkCourier {
  push(lines: readonly Buffer[]): void;
  /** Why lines wait. */
  readonly problem: string | undefined;
  /** Resolves once nothing waits, or the sink cannot take it. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

const RETRY_MS = 1_000;
/** Lines that may wait for a sink; beyond it the oldest are lost to it, which the numbers of the lines show. */
const WAITING_MAX = 10_000;
const BATCH_MAX = 500;

/** Makes the courier of a sink. */
export function createCourier(
  sink: AuditSink,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): SinkCourier {
  const stopping = new AbortController();
  const waiting: Buffer[] = [];
  let problem: string | undefined;
  let running: Promise<void> | undefined;
  let lost = 0;

  async function deliver(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH_MAX);
      const before = lost;
      try {
        await sink.write(batch);
      } catch (thrown) {
        const reason = thrown instanceof Error ? thrown.message : String(thrown);
        if (problem === undefined)
          logger.warn("lines of the audit log wait for a sink", { sink: sink.name, reason });
        problem = `${sink.name} takes no lines: ${reason}`;
        clock.sleep(RETRY_MS, stopping.signal).then(start, () => undefined);
        return;
      }
      // What was thrown away meanwhile stood at the front, and was sent all the same.
      waiting.splice(0, Math.max(0, batch.length - (lost - before)));
      if (problem !== undefined)
        logger.info("a sink takes lines of the audit log again", { sink: sink.name, lost });
      problem = undefined;
    }
  }

  function start(): void {
    running ??= deliver().finally(() => {
      running = undefined;
      if (problem === undefined && waiting.length > 0) start();
    });
  }

  async function settled(): Promise<void> {
    while (running !== undefined) await running;
  }

  return {
    push(lines) {
      waiting.push(...lines);
      const over = waiting.length - WAITING_MAX;
      if (over > 0) {
        lost += over;
        waiting.splice(0, over);
      }
      if (problem === undefined) start();
    },
    get problem() {
      return problem;
    },
    settled,
    async close() {
      start();
      await settled();
      stopping.abort();
      await sink.close();
    },
  };
}
