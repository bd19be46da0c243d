// SPDX-License-Identifier: Apache-2.0
import type { Revision } from "#store/store.ts";
import type { EtcdConnection } from "./connection.ts";
import type { KeyValue } from "./messages.ts";

/** Entries asked for at once, so that no answer is larger than a few pages of a busy store. */
const PAGE = 1_000;

export interface ReadOptions {
  readonly limit?: number | undefined;
  readonly descending?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Of which revision; by default of the present one. */
  readonly revision?: Revision;
}

export interface Page {
  readonly revision: Revision;
  readonly kvs: readonly KeyValue[];
}

/**
 * All from `start` up to but without `end`, in the order of their keys, a page at a time and all of one revision: at
 * least one page. Throws FL0403 `store-lagged` when etcd compacted that revision meanwhile.
 */
export async function* readRange(
  connection: EtcdConnection,
  { start, end }: { readonly start: Buffer; readonly end: Buffer },
  { limit = Infinity, descending = false, signal, revision: of = 0 }: ReadOptions,
): AsyncGenerator<Page, void, undefined> {
  let revision = of;
  let left = limit;
  for (let key = start, rangeEnd = end; ;) {
    const request = {
      key,
      range_end: rangeEnd,
      limit: Math.min(PAGE, left),
      revision,
      sort_order: descending ? ("DESCEND" as const) : ("ASCEND" as const),
    };
    const { header, kvs, more } = await connection.call("KV/Range", request, {
      signal,
      repeatable: true,
    });
    revision ||= Number(header.revision);
    yield { revision, kvs };
    left -= kvs.length;
    const last = kvs.at(-1);
    if (last === undefined || !more || left <= 0) return;
    if (descending) rangeEnd = last.key;
    else key = Buffer.concat([last.key, Buffer.of(0)]);
  }
}
