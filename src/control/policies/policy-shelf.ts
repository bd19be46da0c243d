// SPDX-License-Identifier: Apache-2.0
// Where policies stand, and in a fleet also who lives on other hosts: one watch of the store keeps the picture. A node of a
// fleet has a copy in a store of its own, so that it knows both while the fleet's store is away, also when it starts; and a
// fleet's store that has lost everything gets policies back from there.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { controlErrors } from "#control/errors.ts";
import { writeAll } from "#control/keep-overlay-entries.ts";
import type { ScopePolicies } from "#model/policy.ts";
import type { PolicyInstance } from "#policy/world.ts";
import type { Store, StoreOperation } from "#store/store.ts";
import { createNeighbourBook, NEIGHBOUR_PREFIX } from "./neighbour-entries.ts";
import { createOwnerWatch } from "./owner-watch.ts";
import { createPolicyBook, POLICY_PREFIX } from "./policy-book.ts";

export interface PolicyShelfOptions {
  /** Opens the store that keeps policies; it is not disposed of here. */
  readonly openStore: () => Promise<Store>;
  /** In a fleet: this node's id, its own store, and who is of the fleet, by id; undefined while that is not known. */
  readonly fleet:
    | {
        readonly self: string;
        readonly own: Store;
        readonly readNodes: () => ReadonlySet<string> | undefined;
      }
    | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface PolicyShelf {
  /** What is declared, by scope. */
  readonly scopes: ReadonlyMap<string, ScopePolicies>;
  /** Instances on other hosts. */
  listNeighbours(): readonly PolicyInstance[];
  /** Whether policies were ever read, now or in an earlier life. */
  readonly isKnown: boolean;
  /** Why the picture may be old. */
  readonly problem: string | undefined;
  /** Writes, and returns once this picture has it. Throws what the task throws, and the store. */
  change(task: (store: Store) => Promise<void>): Promise<void>;
  /**
   * Tells other nodes who is here. Returns those whose address was another's until now, and may be taken for his by other
   * nodes for a moment. While the store is away nobody is told, and nobody waited for.
   */
  tell(instances: readonly PolicyInstance[]): Promise<ReadonlySet<string>>;
  /** Calls the listener after each change. */
  onChange(listener: () => void): void;
  run(signal: AbortSignal): Promise<void>;
}

/** Both kinds of entries begin so: one watch, in which what was written together stays together. */
const PREFIX = "policy";
/** The copy in the node's own store: `policy-copy/policy/SCOPE`. */
const COPY = "policy-copy/";
/** Which content of the fleet's store the copy is of. */
const COPY_OF = "policy-copy";
const IDENTITY = "identity";
const RETRY_MS = 1_000;
/** How long a node may be missing on the roll before its instances are forgotten. */
const STRANGE_MS = 30_000;

/** Makes the shelf; nothing is opened before `run` or a change. */
export function createPolicyShelf(options: PolicyShelfOptions): PolicyShelf {
  const { fleet, clock, logger } = options;
  const book = createPolicyBook(logger);
  const neighbours = createNeighbourBook(fleet?.self ?? "");
  const listeners: (() => void)[] = [];
  /** Since when a node that has entries is not on the roll. */
  const strangeSince = new Map<string, number>();
  const owners = createOwnerWatch(clock);
  let problem: string | undefined = "the store was not read yet";
  let isKnown = false;
  let store: Store | undefined;
  let copying: Promise<unknown> = Promise.resolve();

  function announce(): void {
    for (const listener of listeners) listener();
  }

  function take(change: { readonly key: string; readonly value?: unknown }): boolean {
    if (change.key.startsWith(POLICY_PREFIX)) return book.take(change);
    return change.key.startsWith(NEIGHBOUR_PREFIX) && neighbours.take(change);
  }

  /** One write of the copy after the other; a copy that cannot be written is no reason to enforce nothing. */
  function copy(operations: readonly StoreOperation[]): void {
    if (fleet === undefined || operations.length === 0) return;
    const copied = operations.map((one) => ({ ...one, key: COPY + one.key }));
    copying = copying
      .then(() => writeAll(fleet.own, copied))
      .catch((thrown: unknown) => {
        const { message } = FairleadError.from(thrown);
        logger.warn("policies are not kept for when the fleet's store is away", {
          reason: message,
        });
      });
  }

  async function readCopy(): Promise<void> {
    if (fleet === undefined || isKnown) return;
    const { entries } = await fleet.own.list(COPY);
    for (const { key, value } of entries) take({ key: key.slice(COPY.length), value });
    isKnown = (await fleet.own.get(COPY_OF)) !== undefined;
    if (isKnown) announce();
  }

  /** Puts policies back into a store that has lost them; who wrote anew since then is not overruled. */
  async function restore(to: Store, signal: AbortSignal): Promise<void> {
    if (fleet === undefined) return;
    const identity = (await to.get(IDENTITY, { signal }))?.value;
    if (identity === undefined)
      throw new FairleadError(
        controlErrors["policy-store"],
        "the fleet's store is new, and nobody has begun to use it",
      );
    const known = (await fleet.own.get(COPY_OF))?.value;
    if (known === identity) return;
    if (known !== undefined) {
      const { entries } = await fleet.own.list(COPY + POLICY_PREFIX);
      for (const { key, value } of entries) {
        const lost = key.slice(COPY.length);
        await to.transact([{ kind: "put", key: lost, value }], [{ key: lost, revision: 0 }]);
      }
    }
    await fleet.own.transact([{ kind: "put", key: COPY_OF, value: identity }]);
  }

  async function replaceAll(from: Store, signal: AbortSignal): Promise<number> {
    const snapshot = await from.list(PREFIX, { signal });
    book.clear();
    neighbours.clear();
    for (const entry of snapshot.entries) take(entry);
    if (fleet !== undefined) {
      const present = new Set(snapshot.entries.map(({ key }) => key));
      const before = (await fleet.own.list(COPY)).entries.map(({ key }) => key.slice(COPY.length));
      copy([
        ...before
          .filter((key) => !present.has(key))
          .map((key): StoreOperation => ({ kind: "delete", key })),
        ...snapshot.entries.map(({ key, value }): StoreOperation => ({ kind: "put", key, value })),
      ]);
    }
    [isKnown, problem] = [true, undefined];
    announce();
    return snapshot.revision;
  }

  async function follow(from: Store, signal: AbortSignal): Promise<void> {
    await restore(from, signal);
    const revision = await replaceAll(from, signal);
    for await (const changes of from.watch(PREFIX, revision, { signal })) {
      const isNews = changes.map(take).includes(true);
      copy(
        changes.map(({ kind, key, value }): StoreOperation =>
          kind === "put" ? { kind, key, value } : { kind, key },
        ),
      );
      if (isNews) announce();
    }
  }

  /** Forgets instances of nodes that were taken from the roll; whichever node sees it first does. */
  function listStrangers(): readonly string[] {
    const nodes = fleet?.readNodes();
    if (nodes === undefined) return [];
    const nowMs = clock.monotonicMs();
    const strangers = neighbours.listNodes().filter((id) => id !== fleet?.self && !nodes.has(id));
    for (const id of strangeSince.keys()) if (!strangers.includes(id)) strangeSince.delete(id);
    return strangers.filter((id) => {
      const sinceMs = strangeSince.get(id) ?? nowMs;
      strangeSince.set(id, sinceMs);
      return nowMs - sinceMs >= STRANGE_MS;
    });
  }

  return {
    scopes: book.scopes,
    listNeighbours: () => neighbours.list(),
    get isKnown() {
      return isKnown;
    },
    get problem() {
      return problem;
    },
    async change(task) {
      const to = store ?? (store = await options.openStore());
      await task(to);
      const { entries } = await to.list(POLICY_PREFIX);
      for (const entry of entries) book.take(entry);
      const keys = new Set(entries.map(({ key }) => key));
      for (const scope of book.scopes.keys())
        if (!keys.has(POLICY_PREFIX + scope)) book.take({ key: POLICY_PREFIX + scope });
      announce();
    },
    async tell(instances) {
      if (fleet === undefined || store === undefined || problem !== undefined)
        return owners.listFresh();
      const wanted = instances.filter(({ addresses }) => addresses.length > 0);
      owners.note(neighbours.listOwn(), wanted);
      const operations = [
        ...neighbours.plan(fleet.self, wanted),
        ...listStrangers().flatMap((node) => neighbours.plan(node, [])),
      ];
      if (operations.length === 0) return owners.listFresh();
      await writeAll(store, operations);
      for (const operation of operations) neighbours.take(operation);
      return owners.listFresh();
    },
    onChange: (listener) => void listeners.push(listener),
    async run(signal) {
      await readCopy().catch(() => undefined);
      while (!signal.aborted) {
        try {
          store ??= await options.openStore();
          await follow(store, signal);
        } catch (thrown) {
          if (signal.aborted) break;
          const { message } = FairleadError.from(thrown);
          if (message !== problem) logger.warn("policies cannot be read", { reason: message });
          problem = message;
          announce();
          await clock.sleep(RETRY_MS, signal).catch(() => undefined);
        }
      }
      await copying;
    },
  };
}
