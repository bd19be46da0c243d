// SPDX-License-Identifier: Apache-2.0
// Where policies stand, and in a fleet also who lives on other hosts: one watch of the store keeps the picture, with a copy
// (`fleet/common-shelf.ts`).
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import { createCommonShelf } from "#control/fleet/common-shelf.ts";
import { writeAll } from "#control/keep-overlay-entries.ts";
import type { ScopePolicies } from "#model/policy.ts";
import type { PolicyInstance } from "#policy/world.ts";
import type { Store } from "#store/store.ts";
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
  /** Scopes whose policies cannot be read. `kept`: what was read last holds; `closed`: nobody may talk to anybody. */
  readonly unread: ReadonlyMap<string, "kept" | "closed">;
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
/** How long a node may be missing on the roll before its instances are forgotten. */
const STRANGE_MS = 30_000;

/** Makes the shelf; nothing is opened before `run` or a change. */
export function createPolicyShelf(options: PolicyShelfOptions): PolicyShelf {
  const { fleet, clock, logger } = options;
  const book = createPolicyBook(logger);
  const neighbours = createNeighbourBook(fleet?.self ?? "");
  /** Since when a node that has entries is not on the roll. */
  const strangeSince = new Map<string, number>();
  const owners = createOwnerWatch(clock);
  const shelf = createCommonShelf({
    what: "policies",
    prefix: PREFIX,
    isLasting: (key) => key.startsWith(POLICY_PREFIX),
    book: {
      take(change) {
        if (change.key.startsWith(POLICY_PREFIX)) return book.take(change);
        return change.key.startsWith(NEIGHBOUR_PREFIX) && neighbours.take(change);
      },
      clear() {
        book.clear();
        neighbours.clear();
      },
      isWorse: (key) => book.unread.get(key.slice(POLICY_PREFIX.length)) === "kept",
    },
    openStore: options.openStore,
    own: fleet?.own,
    clock,
    logger,
  });

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
      return shelf.isKnown;
    },
    unread: book.unread,
    get problem() {
      return shelf.problem;
    },
    change: (task) => shelf.change(task),
    async tell(instances) {
      const { store } = shelf;
      if (fleet === undefined || store === undefined || shelf.problem !== undefined)
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
    onChange: (listener) => shelf.onChange(listener),
    run: (signal) => shelf.run(signal),
  };
}
