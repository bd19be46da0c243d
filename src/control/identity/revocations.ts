// SPDX-License-Identifier: Apache-2.0
// Certificates of containers that are believed no more though their time is not over: of lives that ended, and those that people
// took back. All nodes of a fleet know them, each with a copy. A certificate lives for an hour at most, so that this stays short.
// Tried in thought and left: naming in the store which certificates are good, as for nodes. Then none could be renewed while the
// store is away.
import { z } from "zod";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { createDoorbell } from "#control/doorbell.ts";
import { createCommonShelf } from "#control/fleet/common-shelf.ts";
import { writeAll } from "#control/keep-overlay-entries.ts";
import { BACKDATE_MS } from "#identity/authority.ts";
import type { Store, StoreOperation } from "#store/store.ts";

/** Before the serial of a certificate that is believed no more. */
const REVOKED = "revoked/";

const Kept = z.strictObject({
  /** Whose it was: `spiffe://harbour/shop/web`. */
  uri: z.string(),
  notAfterMs: z.number(),
  revokedAtMs: z.number(),
  /** Name of the node that gave it. */
  node: z.string(),
});

/** A certificate by its serial, hexadecimal. */
export interface IssuedCertificate {
  readonly serial: string;
  readonly uri: string;
  readonly notAfterMs: number;
}

/** One that is believed no more. */
export interface RevokedCertificate extends IssuedCertificate {
  readonly revokedAtMs: number;
  readonly node: string;
}

/** What tells all nodes of it. */
export function revocationOf({ serial, ...value }: RevokedCertificate): StoreOperation {
  return { kind: "put", key: REVOKED + serial, value };
}

export interface Revocations {
  /** Those whose time is not over by any clock, by serial. */
  list(): readonly RevokedCertificate[];
  /** Believes them no more, here at once. Resolves when the store knows, from where the other nodes hear of it. */
  revoke(certificates: readonly IssuedCertificate[]): Promise<void>;
  /** Calls the listener after each change; returns the function that ends it. */
  onChange(listener: () => void): () => void;
  /** Tells the store, again and again while it is away, and hears of others. */
  run(signal: AbortSignal): Promise<void>;
}

export interface RevocationsOptions {
  /** Opens the store that keeps them: the fleet's, where there is one. */
  readonly openStore: () => Promise<Store>;
  /** In a fleet the node's own store, for a copy. */
  readonly own: Store | undefined;
  /** Name of this node. */
  readonly node: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Pending {
  readonly one: RevokedCertificate;
  readonly done: () => void;
}

const LOOK_MS = 60_000;
const RETRY_MS = { first: 100, last: 5_000 } as const;

/** Opens it with those that are known. */
export async function openRevocations(options: RevocationsOptions): Promise<Revocations> {
  const { node, clock, logger } = options;
  const kept = new Map<string, RevokedCertificate>();
  const pending = new Map<string, Pending>();
  const listeners = new Set<() => void>();
  const bell = createDoorbell(clock);
  let problem = "";

  const shelf = createCommonShelf({
    what: "revoked certificates",
    prefix: REVOKED,
    isLasting: () => true,
    book: {
      take({ key, value }) {
        const serial = key.slice(REVOKED.length);
        const read = Kept.safeParse(value).data;
        if (read === undefined) return kept.delete(serial);
        kept.set(serial, { serial, ...read });
        return true;
      },
      clear: () => kept.clear(),
    },
    openStore: options.openStore,
    own: options.own,
    clock,
    logger,
  });
  function announce(): void {
    for (const listener of listeners) listener();
  }
  shelf.onChange(announce);
  await shelf.read().catch((thrown: unknown) =>
    logger.warn("it is not known which certificates are revoked", {
      reason: FairleadError.from(thrown).message,
    }),
  );

  const isOver = ({ notAfterMs }: RevokedCertificate): boolean =>
    clock.nowMs() > notAfterMs + BACKDATE_MS;

  /** Writes what waits, and takes away what has run out everywhere. */
  async function write(): Promise<void> {
    const waiting = [...pending];
    if (waiting.length === 0) return;
    const puts = waiting.map(([, { one }]) => revocationOf(one));
    const old = [...kept].filter(([serial, one]) => isOver(one) && !pending.has(serial));
    const deletes = old.map(([serial]): StoreOperation => ({
      kind: "delete",
      key: REVOKED + serial,
    }));
    await shelf.change((store) => writeAll(store, [...puts, ...deletes]));
    for (const [serial, { done }] of waiting) {
      pending.delete(serial);
      done();
    }
    problem = "";
  }

  async function tellStore(signal: AbortSignal): Promise<void> {
    let retryMs: number = RETRY_MS.first;
    while (!signal.aborted) {
      try {
        await write();
        retryMs = RETRY_MS.first;
        if (pending.size === 0) await bell.wait(LOOK_MS, signal);
      } catch (thrown) {
        if (signal.aborted) break;
        const { message: reason } = FairleadError.from(thrown);
        if (reason !== problem)
          logger.warn("other nodes do not hear yet which certificates are revoked", { reason });
        problem = reason;
        await clock.sleep(retryMs, signal).catch(() => undefined);
        retryMs = Math.min(retryMs * 2, RETRY_MS.last);
      }
    }
  }

  return {
    list() {
      const waiting = [...pending.values()].map(({ one }) => one);
      const all = new Map([...kept.values(), ...waiting].map((one) => [one.serial, one]));
      return [...all.values()]
        .filter((one) => !isOver(one))
        .sort((a, b) => a.serial.localeCompare(b.serial));
    },
    async revoke(certificates) {
      const revokedAtMs = clock.nowMs();
      const news = certificates
        .map((one): RevokedCertificate => ({ ...one, revokedAtMs, node }))
        .filter((one) => !isOver(one) && !kept.has(one.serial) && !pending.has(one.serial));
      if (news.length === 0) return;
      const told = news.map((one) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        pending.set(one.serial, { one, done: resolve });
        return promise;
      });
      announce();
      bell.ring();
      await Promise.all(told);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async run(signal) {
      await Promise.all([shelf.run(signal), tellStore(signal)]);
    },
  };
}
