// SPDX-License-Identifier: Apache-2.0
// What all nodes of a fleet know alike, as policies, rights and users: entries of the fleet's store under one prefix, watched.
// Each node has a copy in its own store, so that it knows them while the fleet's is away, also when it starts; and a store of
// the fleet that has lost everything gets them back from there. A node by itself keeps them in its own store.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { controlErrors } from "#control/errors.ts";
import { writeAll } from "#control/keep-overlay-entries.ts";
import type { Store, StoreChange, StoreOperation } from "#store/store.ts";

/** Who takes the entries. */
export interface CommonBook {
  /** Takes an entry as it was read; true when anything is different now. */
  take(change: Pick<StoreChange, "key" | "value">): boolean;
  clear(): void;
  /** Whether an entry that was taken is worth less than the one before it, which a copy then keeps. */
  isWorse?(key: string): boolean;
}

export interface CommonShelfOptions {
  /** For people: `policies`. */
  readonly what: string;
  /** All keys begin so: one watch, in which what was written together stays together. */
  readonly prefix: string;
  /** Keys that stay whatever happens to a store; others are of the moment. */
  isLasting(key: string): boolean;
  readonly book: CommonBook;
  /** Opens the store that keeps the entries; it is not disposed of here. */
  readonly openStore: () => Promise<Store>;
  /** In a fleet the node's own store. */
  readonly own: Store | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface CommonShelf {
  /** Whether the entries were ever read, now or in an earlier life. */
  readonly isKnown: boolean;
  /** Why the picture may be old. */
  readonly problem: string | undefined;
  /** The store once it was opened. */
  readonly store: Store | undefined;
  /** Reads what there is: of a fleet the copy; where there is none yet it waits for the fleet's store, for a moment. */
  read(): Promise<void>;
  /** Writes, and returns once the book has it. Throws what the task throws, and the store. */
  change(task: (store: Store) => Promise<void>): Promise<void>;
  /** Calls the listener after each change. */
  onChange(listener: () => void): void;
  run(signal: AbortSignal): Promise<void>;
}

const IDENTITY = "identity";
const RETRY_MS = 1_000;
/** How long a start waits for a fleet's store that it knows nothing of. */
const FIRST_READ_MS = 2_000;

/** The copy of `policy/SCOPE` is `policy-copy/policy/SCOPE`; which content of the fleet's store it is of stands at `policy-copy`. */
function nameCopy(prefix: string): string {
  return `${prefix.replace(/\/$/, "")}-copy`;
}

/** The copy of a fleet's entries in a node's own store. */
function createCopy(own: Store, options: CommonShelfOptions) {
  const { what, prefix, isLasting, book, logger } = options;
  const mark = nameCopy(prefix);
  const before = `${mark}/`;
  let copying: Promise<unknown> = Promise.resolve();

  async function list() {
    const { entries } = await own.list(before);
    return entries.map(({ key, value }) => ({ key: key.slice(before.length), value }));
  }

  /** What the node kept by itself before it belonged to a fleet. */
  async function listEarlier() {
    const { entries } = await own.list(prefix);
    return entries.filter(({ key }) => isLasting(key));
  }

  return {
    list,
    listEarlier,
    isOf: async () => (await own.get(mark))?.value,
    /** One write after the other; a copy that cannot be written is no reason to know nothing. */
    write(operations: readonly StoreOperation[]): void {
      const copied = operations
        .filter(({ kind, key }) => kind === "delete" || book.isWorse?.(key) !== true)
        .map((one) => ({ ...one, key: before + one.key }));
      if (copied.length === 0) return;
      copying = copying
        .then(() => writeAll(own, copied))
        .catch((thrown: unknown) => {
          const { message: reason } = FairleadError.from(thrown);
          logger.warn("what the fleet's store has is not kept for when it is away", {
            what,
            reason,
          });
        });
    },
    written: () => copying,
    /** Puts entries back into a store that has lost them; who wrote anew since then is not overruled. */
    async restore(to: Store, signal: AbortSignal): Promise<void> {
      const identity = (await to.get(IDENTITY, { signal }))?.value;
      if (identity === undefined)
        throw new FairleadError(
          controlErrors["policy-store"],
          "the fleet's store is new, and nobody has begun to use it",
        );
      const known = (await own.get(mark))?.value;
      const lost = known === undefined || known === identity ? [] : await list();
      const earlier = await listEarlier();
      for (const { key, value } of [...lost.filter(({ key: one }) => isLasting(one)), ...earlier])
        await to.transact([{ kind: "put", key, value }], [{ key, revision: 0 }]);
      await writeAll(
        own,
        earlier.map(({ key }): StoreOperation => ({ kind: "delete", key })),
      );
      if (known !== identity) await own.transact([{ kind: "put", key: mark, value: identity }]);
    },
  };
}

/** A node that has left its fleet keeps what held for it there. */
async function bringHome(store: Store, { prefix, isLasting }: CommonShelfOptions): Promise<void> {
  const mark = nameCopy(prefix);
  const { entries } = await store.list(mark);
  for (const { key: copy, value } of entries) {
    const key = copy.slice(mark.length + 1);
    const gone = { kind: "delete", key: copy } as const;
    // The mark itself is no entry.
    const isFree = key !== "" && isLasting(key) && (await store.get(key)) === undefined;
    await store.transact(isFree ? [{ kind: "put", key, value }, gone] : [gone]);
  }
}

/** Makes the shelf; nothing is opened before it is read, run or changed. */
export function createCommonShelf(options: CommonShelfOptions): CommonShelf {
  const { what, prefix, book, own, clock, logger } = options;
  const copy = own === undefined ? undefined : createCopy(own, options);
  const listeners: (() => void)[] = [];
  /** Keys that the book has. */
  const keys = new Set<string>();
  let problem: string | undefined = "the store was not read yet";
  let isKnown = false;
  let store: Store | undefined;

  function announce(): void {
    for (const listener of listeners) listener();
  }

  function take(change: Pick<StoreChange, "key" | "value">): boolean {
    if (change.value === undefined) keys.delete(change.key);
    else keys.add(change.key);
    return book.take(change);
  }

  async function open(): Promise<Store> {
    if (store !== undefined) return store;
    const opened = await options.openStore();
    if (copy === undefined) await bringHome(opened, options);
    return (store = opened);
  }

  async function replaceAll(from: Store, signal?: AbortSignal): Promise<number> {
    const snapshot = await from.list(prefix, signal === undefined ? {} : { signal });
    book.clear();
    keys.clear();
    snapshot.entries.forEach(take);
    if (copy !== undefined) {
      const present = new Set(snapshot.entries.map(({ key }) => key));
      const gone = (await copy.list()).filter(({ key }) => !present.has(key));
      copy.write([
        ...gone.map(({ key }): StoreOperation => ({ kind: "delete", key })),
        ...snapshot.entries.map(({ key, value }): StoreOperation => ({ kind: "put", key, value })),
      ]);
    }
    [isKnown, problem] = [true, undefined];
    announce();
    return snapshot.revision;
  }

  /** What is known without the fleet's store. */
  async function readCopy(): Promise<void> {
    if (copy === undefined || isKnown) return;
    const [earlier, copied] = [await copy.listEarlier(), await copy.list()];
    [...earlier, ...copied].forEach(take);
    isKnown = (await copy.isOf()) !== undefined;
    if (isKnown) announce();
  }

  async function readStore(signal: AbortSignal): Promise<number> {
    const from = await open();
    await copy?.restore(from, signal);
    return replaceAll(from, signal);
  }

  async function follow(signal: AbortSignal): Promise<void> {
    const revision = await readStore(signal);
    const from = await open();
    for await (const changes of from.watch(prefix, revision, { signal })) {
      const isNews = changes.map(take).includes(true);
      copy?.write(
        changes.map(({ kind, key, value }): StoreOperation =>
          kind === "put" ? { kind, key, value } : { kind, key },
        ),
      );
      if (isNews) announce();
    }
  }

  function note(thrown: unknown): void {
    const { message } = FairleadError.from(thrown);
    if (message !== problem)
      logger.warn("what the store keeps cannot be read", { what, reason: message });
    problem = message;
    announce();
  }

  return {
    get isKnown() {
      return isKnown;
    },
    get problem() {
      return problem;
    },
    get store() {
      return store;
    },
    async read() {
      if (copy === undefined) return void (await replaceAll(await open()));
      await readCopy();
      if (isKnown) return;
      const enough = new AbortController();
      const late = clock.sleep(FIRST_READ_MS, enough.signal).catch(() => undefined);
      const reading = readStore(enough.signal).then(() => undefined, note);
      await Promise.race([reading, late]);
      enough.abort();
    },
    async change(task) {
      const to = await open();
      await task(to);
      const { entries } = await to.list(prefix);
      const present = new Set(entries.map(({ key }) => key));
      entries.forEach(take);
      // A store that has just lost everything gets it back: that it has not something means nothing then.
      if (problem === undefined)
        for (const key of keys) if (!present.has(key)) take({ key, value: undefined });
      announce();
    },
    onChange: (listener) => void listeners.push(listener),
    async run(signal) {
      await readCopy().catch(() => undefined);
      while (!signal.aborted) {
        try {
          await follow(signal);
        } catch (thrown) {
          if (signal.aborted) break;
          note(thrown);
          await clock.sleep(RETRY_MS, signal).catch(() => undefined);
        }
      }
      await copy?.written();
    },
  };
}
