// SPDX-License-Identifier: Apache-2.0
// What a node writes of itself about networks that span hosts: claims, in turn with other nodes, and where its instances are.
import { isDeepStrictEqual } from "node:util";
import { overlaps } from "#base/addresses.ts";
import { FairleadError } from "#base/errors.ts";
import type { OverlayEndpoint } from "#network/overlay.ts";
import type { Store, StoreOperation } from "#store/store.ts";
import { planClaim, type OverlayClaim, type OverlayRequest } from "./claim-overlay.ts";
import { controlErrors } from "./errors.ts";
import {
  createOverlayPicture,
  definitionKey,
  endpointKey,
  OVERLAY_PREFIX,
  parseBlocks,
  rangeKey,
  TURN_KEY,
  type OverlayEntries,
  type OverlayPicture,
} from "./overlay-entries.ts";

/** Each time somebody else was first, one node less is left. */
const TRIES = 200;
/** Operations in one transaction. */
const BATCH = 1_000;

/** What is claimed of networks now. */
export async function readClaims(store: Store): Promise<OverlayPicture> {
  const picture = createOverlayPicture();
  for (const part of ["def/", "range/"])
    for (const entry of (await store.list(OVERLAY_PREFIX + part)).entries) picture.take(entry);
  return picture;
}

/** Does it alone among all nodes. `plan` sees what is claimed and may be called several times. */
async function takeTurn<T>(
  store: Store,
  node: string,
  plan: (picture: OverlayPicture) => { readonly operations: StoreOperation[]; readonly result: T },
): Promise<T> {
  for (let tries = 0; tries < TRIES; tries++) {
    const turn = (await store.get(TURN_KEY))?.revision ?? 0;
    const { operations, result } = plan(await readClaims(store));
    if (operations.length === 0) return result;
    const mark = { kind: "put", key: TURN_KEY, value: { node, after: turn } } as const;
    const condition = { key: TURN_KEY, revision: turn };
    if ((await store.transact([...operations, mark], [condition])) !== undefined) return result;
  }
  throw new FairleadError(controlErrors["act-failed"], "other nodes claim networks all the time");
}

const put = (key: string, value: unknown): StoreOperation => ({ kind: "put", key, value });

/** Claims what `planClaim` finds, or had found before. Throws as that does, and what the store throws. */
export function writeClaim(store: Store, request: OverlayRequest): Promise<OverlayClaim> {
  const { name, node } = request;
  return takeTurn(store, node, (picture) => {
    const result = planClaim(request, picture);
    const entries = picture.get(name);
    const operations: StoreOperation[] = [];
    if (entries?.definition === undefined)
      operations.push(put(definitionKey(name), result.definition));
    if (entries?.ranges.has(node) !== true)
      operations.push(put(rangeKey(name, node), result.range));
    return { operations, result };
  });
}

/** Throws FL0720 `overlay-ranges` where another host has got part of a range meanwhile. */
function checkStillFree(name: string, { range }: OverlayClaim, entries?: OverlayEntries): void {
  const own = parseBlocks(range.blocks);
  for (const [other, { blocks }] of entries?.ranges ?? []) {
    const isTaken = parseBlocks(blocks).some((block) => own.some((one) => overlaps(one, block)));
    if (isTaken)
      throw new FairleadError(
        controlErrors["overlay-ranges"],
        `the range of this host on ${name} was given to another while it was away`,
        {
          facts: { node: other },
          remedy: "down on this host, and up again: it gets another range",
        },
      );
  }
}

/**
 * Writes a claim again that the store has lost; what others have claimed in between stays. Throws FL0720
 * `overlay-ranges`.
 */
export function restoreClaim(
  store: Store,
  { name, node }: { readonly name: string; readonly node: string },
  claim: OverlayClaim,
): Promise<void> {
  return takeTurn(store, node, (picture) => {
    const entries = picture.get(name);
    const operations: StoreOperation[] = [];
    if (entries?.definition === undefined)
      operations.push(put(definitionKey(name), claim.definition));
    if (entries?.ranges.has(node) !== true) {
      checkStillFree(name, claim, entries);
      operations.push(put(rangeKey(name, node), claim.range));
    }
    return { operations, result: undefined };
  });
}

/** Gives back what a node has of a network; the last one to do so takes its definition with it. */
export function releaseClaim(store: Store, name: string, node: string): Promise<void> {
  return takeTurn(store, node, (picture) => {
    const entries = picture.get(name);
    if (entries?.ranges.has(node) !== true) return { operations: [], result: undefined };
    const keys = [
      rangeKey(name, node),
      ...(entries.ranges.size === 1 ? [definitionKey(name)] : []),
    ];
    const operations = keys.map((key): StoreOperation => ({ kind: "delete", key }));
    return { operations, result: undefined };
  });
}

/** What to write so that the store has these endpoints of a node on a network, by instance, and no others of it. */
export function planEndpoints(
  { name, node }: { readonly name: string; readonly node: string },
  wanted: ReadonlyMap<string, OverlayEndpoint>,
  entries: OverlayEntries | undefined,
): readonly StoreOperation[] {
  const there = new Map(
    [...(entries?.endpoints ?? [])]
      .filter(([key]) => key.startsWith(`${node}/`))
      .map(([key, endpoint]) => [key.slice(node.length + 1), endpoint]),
  );
  const gone = [...there.keys()].filter((instance) => !wanted.has(instance));
  return [
    ...gone.map((instance): StoreOperation => ({
      kind: "delete",
      key: endpointKey(name, node, instance),
    })),
    ...[...wanted]
      .filter(([instance, endpoint]) => !isDeepStrictEqual(there.get(instance), endpoint))
      .map(([instance, endpoint]) => put(endpointKey(name, node, instance), endpoint)),
  ];
}

/** Writes operations that need no condition. */
export async function writeAll(store: Store, operations: readonly StoreOperation[]): Promise<void> {
  const count = Math.min(BATCH, store.operationsMax);
  for (let at = 0; at < operations.length; at += count)
    await store.transact(operations.slice(at, at + count));
}
