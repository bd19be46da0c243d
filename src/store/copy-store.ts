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

/**
 * Copies everything but what stands under `leaveOut` and reads it back. Nobody else may write to either meanwhile. Values
 * and keys stay, revisions and leases do not. Throws FL0411 `store-not-empty` when the target has something, FL0412
 * `store-copy-differs` when it does not have the same afterwards.
 */
export async function copyStore(
  source: Store,
  target: Store,
  { leaveOut }: { readonly leaveOut: string },
): Promise<Copied> {
  const found = await target.measure("");
  if (found.entries > 0)
    throw new FairleadError(
      storeErrors["store-not-empty"],
      `the ${target.kind} store has entries`,
      {
        facts: { entries: found.entries },
      },
    );
  const expected = new Map<string, string>();
  let left = 0;
  for await (const entries of readAll(source)) {
    const kept = entries.filter(({ key }) => !key.startsWith(leaveOut));
    left += entries.length - kept.length;
    for (const { key, value } of kept) expected.set(key, JSON.stringify(value));
    // One by one: together they could be more than one transaction takes.
    for (const operation of kept.map(toPut)) await target.transact([operation]);
  }
  await compare(target, expected);
  return { entries: expected.size, left };
}

const toPut = ({ key, value }: Entry): StoreOperation => ({ kind: "put", key, value });

async function compare(target: Store, expected: ReadonlyMap<string, string>): Promise<void> {
  let count = 0;
  for await (const entries of readAll(target)) {
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
