// SPDX-License-Identifier: Apache-2.0
// Which certificates containers of this node were given in which life, so that they end with it: also when the container went
// while no node ran. Noted in the node's own store before a certificate is given.
import { z } from "zod";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { Store, StoreOperation } from "#store/store.ts";
import type { GivenNotes } from "./given-notes.ts";
import type { IssuedCertificate, Revocations } from "./revocations.ts";

const ISSUED = "issued/";

const Note = z.strictObject({
  place: z.string(),
  /** When the life began that has it, by the engine; 0 for the life that is to come. */
  life: z.number(),
  uri: z.string(),
  notAfterMs: z.number(),
});
type Note = z.infer<typeof Note>;

export interface IssuedBook {
  /** Notes a certificate that is given to a place in a life of its container; life 0: in the one to come. */
  add(place: string, life: number, certificate: IssuedCertificate): Promise<void>;
  /** Another life began; 0: one has ended. What was given in one before is believed no more. */
  setLife(place: string, startedAtMs: number): void;
  /** Believes none of a place that is left any more. */
  end(place: string): void;
  /** Does the same for all places but these. */
  retain(isThere: (place: string) => boolean): void;
  /**
   * Believes none of a place any more but the one that it has now, by serial. `told` resolves when the store knows, from where
   * other nodes hear of it.
   */
  endOthers(place: string, serial: string | undefined): EndedCertificates;
}

/** What is believed no more. */
export interface EndedCertificates {
  readonly certificates: readonly IssuedCertificate[];
  readonly told: Promise<void>;
}

export interface IssuedBookOptions {
  /** The node's own. */
  readonly store: Store;
  readonly revocations: Pick<Revocations, "revoke">;
  /** Undefined for a node by itself. */
  readonly given: Pick<GivenNotes, "add" | "drop"> | undefined;
  readonly clock: Pick<Clock, "nowMs">;
  readonly logger: Logger;
}

/** Opens it with what an earlier process of the node has noted. */
export async function openIssuedBook(options: IssuedBookOptions): Promise<IssuedBook> {
  const { store, revocations, given, clock, logger } = options;
  const notes = new Map<string, Note>();
  /** Not told to other nodes yet: their notes are kept for a process that may come after this one. */
  const ending = new Set<string>();

  async function write(operations: readonly StoreOperation[]): Promise<void> {
    try {
      for (const one of operations) await store.transact([one]);
    } catch (thrown) {
      // A full disk is no reason to have no certificate: this process knows it all the same.
      const { message: reason } = FairleadError.from(thrown);
      logger.warn("which certificates are given is not noted", { reason });
    }
  }

  const drop = async (serials: readonly string[]): Promise<void> => {
    for (const serial of serials) {
      notes.delete(serial);
      ending.delete(serial);
      given?.drop(serial);
    }
    await write(serials.map((serial) => ({ kind: "delete", key: ISSUED + serial })));
  };

  function revokeWhere(isMeant: (note: Note, serial: string) => boolean): EndedCertificates {
    const meant = [...notes].filter(
      ([serial, note]) => !ending.has(serial) && isMeant(note, serial),
    );
    if (meant.length === 0) return { certificates: [], told: Promise.resolve() };
    for (const [serial] of meant) ending.add(serial);
    const certificates = meant.map(([serial, { uri, notAfterMs }]) => ({
      serial,
      uri,
      notAfterMs,
    }));
    const told = revocations
      .revoke(certificates)
      .then(() => drop(certificates.map(({ serial }) => serial)));
    return { certificates, told };
  }

  function listOver(): readonly string[] {
    const nowMs = clock.nowMs();
    const isOver = ([, { notAfterMs }]: readonly [string, Note]): boolean => notAfterMs < nowMs;
    return [...notes].filter(isOver).map(([serial]) => serial);
  }

  for (const { key, value } of (await store.list(ISSUED)).entries) {
    const read = Note.safeParse(value).data;
    if (read === undefined) continue;
    const serial = key.slice(ISSUED.length);
    notes.set(serial, read);
    void given?.add({ serial, ...read });
  }
  await drop(listOver());

  return {
    async add(place, life, { serial, uri, notAfterMs }) {
      const value: Note = { place, life, uri, notAfterMs };
      const over = listOver();
      notes.set(serial, value);
      const told = given?.add({ serial, uri, notAfterMs });
      await write([{ kind: "put", key: ISSUED + serial, value }]);
      await told;
      await drop(over);
    },
    setLife(place, startedAtMs) {
      revokeWhere((one) => one.place === place && one.life !== 0 && one.life !== startedAtMs);
      if (startedAtMs === 0) return;
      for (const [serial, one] of notes) {
        if (one.place !== place || one.life !== 0 || ending.has(serial)) continue;
        const value = { ...one, life: startedAtMs };
        notes.set(serial, value);
        void write([{ kind: "put", key: ISSUED + serial, value }]);
      }
    },
    end: (place) => void revokeWhere((one) => one.place === place),
    retain: (isThere) => void revokeWhere((one) => !isThere(one.place)),
    endOthers: (place, serial) =>
      revokeWhere((one, other) => one.place === place && other !== serial),
  };
}
