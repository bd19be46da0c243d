// SPDX-License-Identifier: Apache-2.0
// Service addresses as a table of nftables in each namespace from which they are called.
import { readFile } from "node:fs/promises";
import { FairleadError, isKind } from "#base/errors.ts";
import type { NetfilterOptions } from "#netfilter/ask-rules.ts";
import { netfilterErrors } from "#netfilter/errors.ts";
import type { Netfilter } from "#netfilter/netfilter.ts";
import { addRoutes } from "./add-routes.ts";
import type { BalanceChange, BalanceOutcome, Balancer, BalanceSpace } from "./balancer.ts";
import { isTable } from "./compare-table.ts";
import { balanceErrors } from "./errors.ts";
import { planTable, type BalanceTable } from "./plan-table.ts";
import { renderChanges, renderNothing, renderTable, TABLE } from "./render-table.ts";

/** Id of the space that is the host itself. */
const HOST = "host";
/** Containers looked at in one check: each costs two processes. */
const CHECKED_AT_ONCE = 2;

export interface NftBalancerOptions {
  readonly netfilter: Netfilter;
  /** Blocks of which services have their addresses: what else is in them is refused. */
  readonly ranges: readonly string[];
  /** The network namespace that counts as the node's own, by its path; for several hosts on one machine. */
  readonly netns?: string;
}

/** What this balancer knows of a namespace. */
interface Kept {
  readonly space: BalanceSpace;
  /** As it was made; undefined after a failure. */
  table: BalanceTable | undefined;
}

/** Throws FL1311 `balance-stranger` where the process is another's: the node sees other numbers than the engine. */
async function checkOwner({ id, pid }: BalanceSpace): Promise<void> {
  if (pid === undefined) return;
  let groups: string;
  try {
    groups = await readFile(`/proc/${pid}/cgroup`, "utf8");
  } catch (cause) {
    throw new FairleadError(
      netfilterErrors["netfilter-namespace"],
      `the process ${pid} of ${id.slice(0, 12)} is gone`,
      { cause },
    );
  }
  if (!groups.includes(id))
    throw new FairleadError(
      balanceErrors["balance-stranger"],
      `process ${pid} is not of container ${id.slice(0, 12)}`,
    );
}

/** Makes the balancer; nothing is read or changed before `apply`. */
export function createNftBalancer(options: NftBalancerOptions): Balancer {
  const { netfilter, ranges } = options;
  /** By id; in the order in which they were looked at, the longest ago first. */
  const known = new Map<string, Kept>();
  let isFirst = true;
  let turn: Promise<unknown> = Promise.resolve();

  function locate({ pid }: BalanceSpace, signal: AbortSignal | undefined): NetfilterOptions {
    const netns = pid === undefined ? options.netns : `/proc/${pid}/ns/net`;
    return {
      ...(netns === undefined ? {} : { netns }),
      ...(signal === undefined ? {} : { signal }),
    };
  }

  /** Makes it as wanted where what stands is not known, or not what it was. */
  async function settle(
    kept: Kept,
    table: BalanceTable,
    signal: AbortSignal | undefined,
  ): Promise<BalanceChange["kind"] | undefined> {
    const { space } = kept;
    const place = locate(space, signal);
    await checkOwner(space);
    const objects = await netfilter.read("inet", TABLE, place);
    const isNew = kept.table === undefined;
    if (objects !== undefined && isTable(objects, table)) {
      kept.table = table;
      return undefined;
    }
    kept.table = undefined;
    await addRoutes(space.own, ranges, place);
    await netfilter.apply(renderTable(table), place);
    kept.table = table;
    return !isNew ? "repair" : objects === undefined ? "make" : "update";
  }

  async function applyOne(
    space: BalanceSpace,
    signal: AbortSignal | undefined,
  ): Promise<BalanceChange["kind"] | undefined> {
    const table = planTable(space, ranges);
    const before = known.get(space.id);
    // Another process: the container was started again, in a namespace that is new.
    const was = before?.space.pid === space.pid ? before?.table : undefined;
    const kept: Kept = { space, table: was };
    known.set(space.id, kept);
    if (was === undefined) return settle(kept, table, signal);
    const commands = renderChanges(was, table);
    if (commands.length === 0) return undefined;
    kept.table = undefined;
    try {
      await netfilter.apply(commands, locate(space, signal));
    } catch (thrown) {
      if (!isKind(thrown, netfilterErrors["netfilter-refused"])) throw thrown;
      // What stood there was not what it was made as.
      const kind = await settle(kept, table, signal);
      return kind === undefined ? undefined : "repair";
    }
    kept.table = table;
    return "update";
  }

  /** Calls one after the other; failures of one leave the others as they are. */
  async function visit<T extends { readonly id: string }>(
    all: readonly T[],
    act: (one: T) => Promise<BalanceChange["kind"] | undefined>,
    signal: AbortSignal | undefined,
  ): Promise<BalanceOutcome> {
    const changes: BalanceChange[] = [];
    const failures = new Map<string, unknown>();
    for (const one of all) {
      if (signal?.aborted === true) break;
      try {
        const kind = await act(one);
        if (kind !== undefined) changes.push({ space: one.id, kind });
      } catch (thrown) {
        if (!isKind(thrown, netfilterErrors["netfilter-namespace"])) failures.set(one.id, thrown);
      }
    }
    return { changes, failures };
  }

  /** What an earlier life has left on a host where no service has an address any more. */
  async function removeLeftOver(signal: AbortSignal | undefined): Promise<void> {
    const place = locate({ id: HOST, own: [], services: [] }, signal);
    try {
      if ((await netfilter.read("inet", TABLE, place)) !== undefined)
        await netfilter.apply(renderNothing(), place);
    } catch (thrown) {
      // Where there is no nft nothing was left by it.
      if (!(thrown instanceof FairleadError)) throw thrown;
    }
  }

  async function applyAll(
    wanted: readonly BalanceSpace[],
    signal: AbortSignal | undefined,
  ): Promise<BalanceOutcome> {
    const ids = new Set(wanted.map(({ id }) => id));
    if (isFirst && !ids.has(HOST)) await removeLeftOver(signal);
    isFirst = false;
    const gone = [...known.values()].map(({ space }) => space).filter(({ id }) => !ids.has(id));
    const removed = await visit(
      gone,
      async (space) => {
        known.delete(space.id);
        await checkOwner(space);
        await netfilter.apply(renderNothing(), locate(space, signal));
        return "remove";
      },
      signal,
    );
    const made = await visit(wanted, (space) => applyOne(space, signal), signal);
    return {
      changes: [...removed.changes, ...made.changes],
      failures: new Map([...removed.failures, ...made.failures]),
    };
  }

  async function checkSome(signal: AbortSignal | undefined): Promise<BalanceOutcome> {
    const all = [...known.values()].filter(({ table }) => table !== undefined);
    const hosts = all.filter(({ space }) => space.pid === undefined);
    const others = all.filter(({ space }) => space.pid !== undefined).slice(0, CHECKED_AT_ONCE);
    const due = [...hosts, ...others].map((kept) => ({ id: kept.space.id, kept }));
    return visit(
      due,
      async ({ id, kept }) => {
        known.delete(id);
        known.set(id, kept);
        return kept.table === undefined ? undefined : settle(kept, kept.table, signal);
      },
      signal,
    );
  }

  /** Nobody else is at it meanwhile. */
  function inTurn<T>(act: () => Promise<T>): Promise<T> {
    const next = turn.then(act);
    turn = next.catch(() => undefined);
    return next;
  }

  return {
    apply: (wanted, signal) => inTurn(() => applyAll(wanted, signal)),
    check: (signal) => inTurn(() => checkSome(signal)),
  };
}
