// SPDX-License-Identifier: Apache-2.0
// Which certificates containers of each node of a fleet have, in the fleet's store: who removes a node that is lost can name what
// it has given, though nobody can ask it any more.
import { z } from "zod";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { createDoorbell } from "#control/doorbell.ts";
import { writeAll } from "#control/keep-overlay-entries.ts";
import { BACKDATE_MS } from "#identity/authority.ts";
import type { Store, StoreOperation } from "#store/store.ts";
import { revocationOf, type IssuedCertificate } from "./revocations.ts";

/** Before the id of a node, and the serial of a certificate. */
const GIVEN = "given/";

const Kept = z.strictObject({ uri: z.string(), notAfterMs: z.number() });

export interface GivenNotes {
  /** Tells the store; resolves when it knows, or when it does not answer: then it is told as soon as it does. */
  add(certificate: IssuedCertificate): Promise<void>;
  /** Takes back what has run out or is revoked. */
  drop(serial: string): void;
  run(signal: AbortSignal): Promise<void>;
}

export interface GivenNotesOptions {
  /** Opens the fleet's. */
  readonly openStore: () => Promise<Store>;
  /** Id of this node. */
  readonly node: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

const LOOK_MS = 60_000;
const RETRY_MS = 2_000;
/** For so long a certificate waits for a store that has answered until now. */
const WAIT_MS = 1_000;

/** Makes them; nothing is written before they run. */
export function createGivenNotes({
  openStore,
  node,
  clock,
  logger,
}: GivenNotesOptions): GivenNotes {
  const pending = new Map<string, StoreOperation>();
  const bell = createDoorbell(clock);
  const waiting = new Set<() => void>();
  let problem = "";

  function wake(): void {
    for (const go of waiting) go();
    waiting.clear();
  }

  function want(operation: StoreOperation): void {
    pending.set(operation.key, operation);
    bell.ring();
  }
  const keyOf = (serial: string): string => `${GIVEN}${node}/${serial}`;

  async function write(): Promise<void> {
    const batch = [...pending];
    await writeAll(
      await openStore(),
      batch.map(([, operation]) => operation),
    );
    for (const [key, operation] of batch) if (pending.get(key) === operation) pending.delete(key);
    problem = "";
    if (pending.size === 0) wake();
  }

  return {
    async add({ serial, uri, notAfterMs }) {
      want({ kind: "put", key: keyOf(serial), value: { uri, notAfterMs } });
      if (problem !== "") return;
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.add(resolve);
      const enough = new AbortController();
      const late = clock.sleep(WAIT_MS, enough.signal).catch(() => undefined);
      await Promise.race([promise, late]);
      waiting.delete(resolve);
      enough.abort();
    },
    drop: (serial) => want({ kind: "delete", key: keyOf(serial) }),
    async run(signal) {
      while (!signal.aborted) {
        try {
          if (pending.size === 0) await bell.wait(LOOK_MS, signal);
          else await write();
        } catch (thrown) {
          if (signal.aborted) break;
          const { message: reason } = FairleadError.from(thrown);
          if (reason !== problem)
            logger.warn("the fleet's store does not know which certificates are given here", {
              reason,
            });
          problem = reason;
          wake();
          await clock.sleep(RETRY_MS, signal).catch(() => undefined);
        }
      }
    },
  };
}

/** Believes no more what a node has given that belongs to the fleet no longer. Returns how many that were. */
export async function revokeGiven(
  store: Store,
  { id, name }: { readonly id: string; readonly name: string },
  nowMs: number,
): Promise<number> {
  const before = `${GIVEN}${id}/`;
  const operations: StoreOperation[] = [];
  let count = 0;
  for (const { key, value } of (await store.list(before)).entries) {
    operations.push({ kind: "delete", key });
    const read = Kept.safeParse(value).data;
    if (read === undefined || nowMs > read.notAfterMs + BACKDATE_MS) continue;
    const certificate = { serial: key.slice(before.length), ...read };
    operations.unshift(revocationOf({ ...certificate, revokedAtMs: nowMs, node: name }));
    count++;
  }
  await writeAll(store, operations);
  return count;
}
