// SPDX-License-Identifier: Apache-2.0
import { FairleadError } from "#base/errors.ts";
import { storeErrors } from "./errors.ts";
import type { Entry, Store, StoreOperation } from "./store.ts";

/** Entries read and written at once. */
const PAGE = 100;

export interface Copied {
  readonly entries: number;
  /** Entries that were left out. */
  readonly left: number;
}

async function* readAll(store: Store): AsyncGenerator<readonly Entry[], void, undefined> {
  for (let after: string | undefined; ;) {
    const { entries } = await store.list("", {
      limit: PAGE,
      ...(after === undefined ? {} : { after }),
    });
    if (entries.length > 0) yield entries;
    after = entries.at(-1)?.key;
    if (entries.length < PAGE) return;
  }
}

/** Stands in a store as long as it is copied to: one in which it is found is not whole. */
const COPYING = "copying";

/** Throws FL0414 `store-half-copied` for a store to which a copy was not completed. */
export async function checkWhole(store: Store): Promise<void> {
  const mark = await store.get(COPYING);
  if (mark === undefined) return;
  throw new FairleadError(
    storeErrors["store-half-copied"],
    `a copy into the ${store.kind} store was cut off`,
    { facts: { "copied from": String(mark.value) } },
  );
}

async function removeAll(store: Store): Promise<void> {
  const count = Math.min(PAGE, store.operationsMax);
  for (;;) {
    const { entries } = await store.list("", { limit: count + 1 });
    // The mark goes last: until then it is to be seen that the rest is not whole.
    const others = entries.filter(({ key }) => key !== COPYING).slice(0, count);
    if (others.length === 0) return;
    await store.transact(others.map(({ key }) => ({ kind: "delete", key })));
  }
}

/** Makes sure that nothing is there but a mark that it is copied to. */
async function claimTarget(target: Store, from: string): Promise<void> {
  const mark = await target.get(COPYING);
  if (mark !== undefined) await removeAll(target);
  const found = await target.measure("");
  if (found.entries > (mark === undefined ? 0 : 1))
    throw new FairleadError(
      storeErrors["store-not-empty"],
      `the ${target.kind} store has entries`,
      { facts: { entries: found.entries } },
    );
  await target.transact([{ kind: "put", key: COPYING, value: from }]);
}

/** What stands there on a lease is of a node that lives, where the store runs on while the node does not. */
async function refuseLife(source: Store, prefix: string): Promise<void> {
  const [first] = (await source.list(prefix, { limit: 1 })).entries;
  if (source.kind === "sqlite" || source.kind === "memory" || first === undefined) return;
  throw new FairleadError(
    storeErrors["store-lived-in"],
    `a node announces itself in the ${source.kind} store`,
    { facts: { entry: first.key } },
  );
}

/**
 * Copies everything but what stands under `leaveOut` and reads it back. Nobody else may write to either meanwhile. Values
 * and keys stay, revisions and leases do not. A target to which a copy was cut off is emptied, and copied to anew. Throws
 * FL0411 `store-not-empty` when the target has something else, FL0414 `store-half-copied` when the source is none that is
 * whole, FL0415 `store-lived-in` when a node announces itself there, FL0412 `store-copy-differs` when the target does not
 * have the same afterwards.
 */
export async function copyStore(
  source: Store,
  target: Store,
  { leaveOut }: { readonly leaveOut: string },
): Promise<Copied> {
  await checkWhole(source);
  await refuseLife(source, leaveOut);
  await claimTarget(target, source.kind);
  const expected = new Map<string, string>();
  let left = 0;
  for await (const entries of readAll(source)) {
    const kept = entries.filter(({ key }) => !key.startsWith(leaveOut));
    left += entries.length - kept.length;
    for (const { key, value } of kept) expected.set(key, JSON.stringify(value));
    // One by one: together they could be more than one transaction takes.
    for (const operation of kept.map(toPut)) await target.transact([operation]);
  }
  await compare(target, expected, (key) => key === COPYING);
  // Who wrote meanwhile would be missed.
  await compare(source, expected, (key) => key.startsWith(leaveOut));
  await target.transact([{ kind: "delete", key: COPYING }]);
  return { entries: expected.size, left };
}

const toPut = ({ key, value }: Entry): StoreOperation => ({ kind: "put", key, value });

async function compare(
  store: Store,
  expected: ReadonlyMap<string, string>,
  isLeft: (key: string) => boolean,
): Promise<void> {
  let count = 0;
  for await (const page of readAll(store)) {
    const entries = page.filter(({ key }) => !isLeft(key));
    count += entries.length;
    const other = entries.find(({ key, value }) => expected.get(key) !== JSON.stringify(value));
    if (other !== undefined)
      throw new FairleadError(storeErrors["store-copy-differs"], `"${other.key}" is not the same`);
  }
  if (count !== expected.size)
    throw new FairleadError(storeErrors["store-copy-differs"], "not everything is there", {
      facts: { expected: expected.size, found: count },
    });
}
