// SPDX-License-Identifier: Apache-2.0
// What stands on a fleet's roll, and how a node gets on it. Keys are relative to the fleet's prefix.
import { NodeFarewell, NodeRecord } from "@fairlead/protocol/node.ts";
import type { NodeMarks } from "@fairlead/protocol/node.ts";
import { FairleadError } from "#base/errors.ts";
import type { Entry, Store, StoreOperation } from "#store/store.ts";
import { controlErrors } from "./errors.ts";
import { parseOnce } from "./parse-once.ts";
import { readShared } from "./read-shared.ts";

/** Before all that a roll watches; other things of the fleet stand beside it. */
export const ROLL = "roll/";
/** Before a node's id: its record. */
export const NODES = `${ROLL}nodes/`;
/** Before a node's id: there while the node renews its lease. */
export const LIVE = `${ROLL}live/`;
/** Before a node's id: that it belongs to the fleet no more. */
export const FAREWELLS = `${ROLL}farewells/`;
/** Before a node's id: which certificate is its. */
export const NODE_CERTIFICATES = "identity/nodes/";
const KEY = "key";

/** What a node knows of itself before it stands on a roll. */
export type OwnRecord = Omit<NodeRecord, "incarnation" | keyof NodeMarks>;

/** The marks of a node of which nobody said anything. */
export const UNMARKED: NodeMarks = { schedulable: true, draining: false };

/** The fleet's key; who finds none makes it. */
export async function readFleetKey(store: Store, makeKey: () => string): Promise<Buffer> {
  const value = makeKey();
  await store.transact([{ kind: "put", key: KEY, value }], [{ key: KEY, revision: 0 }]);
  return Buffer.from(String((await store.get(KEY))?.value), "base64");
}

/** The record in an entry; undefined when it is absent or not readable. */
export function readRecord(entry: Pick<Entry, "value"> | undefined): NodeRecord | undefined {
  return parseOnce(NodeRecord, entry?.value);
}

/** Another node that goes by our name, or by our id in a later life, as a copy of this host's state would. */
function findRival({ records, live }: RollEntries, own: NodeRecord): NodeRecord | undefined {
  return records.find(({ id, name, incarnation }) =>
    id === own.id
      ? own.incarnation > 0 && incarnation > own.incarnation
      : name === own.name && live.has(id),
  );
}

/** Who stands on the roll, and the ids of those whose leases live. */
export interface RollEntries {
  readonly records: readonly NodeRecord[];
  readonly live: ReadonlySet<string>;
}

/** Reads the roll as it is now. */
export async function readRoll(store: Store): Promise<RollEntries> {
  // In this order: whoever lives has a record.
  const alive = await store.list(LIVE);
  const { entries } = await store.list(NODES);
  const live = new Set(alive.entries.map(({ key }) => key.slice(LIVE.length)));
  return { records: entries.flatMap((entry) => readRecord(entry) ?? []), live };
}

export interface Entering {
  /** Name of the fleet, for the error. */
  readonly fleet: string;
  readonly nowMs: number;
  /** Whether it may come although somebody has removed it: it shows a token. */
  readonly welcome: boolean;
  /** Incarnation of its last life, as far as the node itself knows. Default 0. */
  readonly lived?: number;
}

/**
 * Puts a node on the roll: in a new life when its incarnation is 0, with the marks that it had. Returns what stands there
 * now. Throws FL0711 `node-name-taken`, FL0740 `node-removed`, and FL0707 when somebody else wrote meanwhile: then it may be tried again.
 */
export async function enterRoll(
  store: Store,
  own: NodeRecord,
  { fleet, nowMs, welcome, lived = 0 }: Entering,
): Promise<NodeRecord> {
  const key = NODES + own.id;
  const before = await store.get(key);
  const rival = findRival(await readRoll(store), own);
  if (rival !== undefined)
    throw new FairleadError(
      controlErrors["node-name-taken"],
      `another node of the fleet ${fleet} is called ${own.name}`,
      { facts: { id: rival.id, address: rival.address } },
    );
  const farewell = readShared(NodeFarewell, (await store.get(FAREWELLS + own.id))?.value);
  if (farewell?.how === "removed" && !welcome)
    throw new FairleadError(
      controlErrors["node-removed"],
      `${own.name} was removed from the fleet ${fleet}`,
      { facts: { by: farewell.by, ...(farewell.reason && { reason: farewell.reason }) } },
    );
  const known = readRecord(before);
  // A roll that was lost with its store must not begin below the lives that others remember.
  const last = Math.max(lived, known?.incarnation ?? farewell?.incarnation ?? 0);
  const next = Math.max(last + 1, Math.floor(nowMs));
  const { schedulable, draining } = known ?? own;
  const incarnation = own.incarnation === 0 ? next : own.incarnation;
  const value: NodeRecord = { ...own, schedulable, draining, incarnation };
  const condition = { key, revision: before?.revision ?? 0 };
  const puts: StoreOperation[] = [{ kind: "put", key, value }];
  if (farewell?.how === "left") puts.push({ kind: "delete", key: FAREWELLS + own.id });
  const done = await store.transact(puts, [condition]);
  if (done === undefined) throw new FairleadError(controlErrors["act-failed"], "the roll changed");
  return value;
}

/** Takes a node off the roll, if it stands there; who is `removed` must not live. False when it does, or began to meanwhile. */
export async function leaveRoll(store: Store, farewell: NodeFarewell): Promise<boolean> {
  const { id, how } = farewell;
  const operations: readonly StoreOperation[] = [
    { kind: "delete", key: NODES + id },
    { kind: "delete", key: LIVE + id },
    { kind: "delete", key: NODE_CERTIFICATES + id },
    { kind: "put", key: FAREWELLS + id, value: farewell },
  ];
  const conditions = how === "removed" ? [{ key: LIVE + id, revision: 0 }] : [];
  return (await store.transact(operations, conditions)) !== undefined;
}

/** Sets the marks of a node. Throws FL0701 `no-such-object` when it stands on the roll no more. */
export async function markNode(
  store: Store,
  { id, name }: Pick<NodeRecord, "id" | "name">,
  marks: NodeMarks,
): Promise<NodeRecord> {
  const key = NODES + id;
  for (;;) {
    const entry = await store.get(key);
    const record = readRecord(entry);
    if (entry === undefined || record === undefined)
      throw new FairleadError(controlErrors["no-such-object"], `${name} is not on the roll`);
    const value: NodeRecord = { ...record, ...marks };
    const condition = { key, revision: entry.revision };
    if ((await store.transact([{ kind: "put", key, value }], [condition])) !== undefined)
      return value;
  }
}
