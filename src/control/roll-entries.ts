// SPDX-License-Identifier: Apache-2.0
// What stands on a fleet's roll, and how a node gets on it. Keys are relative to the fleet's prefix.
import { NodeRecord } from "@fairlead/protocol/node.ts";
import type { NodeMarks } from "@fairlead/protocol/node.ts";
import { FairleadError } from "#base/errors.ts";
import type { Entry, Snapshot, Store } from "#store/store.ts";
import { controlErrors } from "./errors.ts";

/** Before a node's id: its record. */
export const NODES = "nodes/";
/** Before a node's id: there while the node renews its lease. */
export const LIVE = "live/";
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
  return NodeRecord.safeParse(entry?.value).data;
}

/** Another node that goes by our name, or by our id in a later life, as a copy of this host's state would. */
function findRival({ entries }: Snapshot, own: Pick<NodeRecord, "id" | "name" | "incarnation">) {
  const alive = new Set(entries.map(({ key }) => key).filter((key) => key.startsWith(LIVE)));
  return entries
    .flatMap((entry) => (entry.key.startsWith(NODES) ? (readRecord(entry) ?? []) : []))
    .find(({ id, name, incarnation }) =>
      id === own.id
        ? own.incarnation > 0 && incarnation > own.incarnation
        : name === own.name && alive.has(LIVE + id),
    );
}

export interface Entering {
  /** Name of the fleet, for the error. */
  readonly fleet: string;
  readonly nowMs: number;
}

/**
 * Puts a node on the roll: in a new life when its incarnation is 0, with the marks that it had. Returns what stands there
 * now. Throws FL0711 `node-name-taken`, and FL0707 when somebody else wrote meanwhile: then it may be tried again.
 */
export async function enterRoll(
  store: Store,
  own: NodeRecord,
  { fleet, nowMs }: Entering,
): Promise<NodeRecord> {
  const snapshot = await store.list("");
  const rival = findRival(snapshot, own);
  if (rival !== undefined)
    throw new FairleadError(
      controlErrors["node-name-taken"],
      `another node of the fleet ${fleet} is called ${own.name}`,
      { facts: { id: rival.id, address: rival.address } },
    );
  const key = NODES + own.id;
  const before = snapshot.entries.find((entry) => entry.key === key);
  const known = readRecord(before);
  // A roll that was lost with its store must not begin below the lives that others remember.
  const next = Math.max((known?.incarnation ?? 0) + 1, Math.floor(nowMs / 1_000));
  const { schedulable, draining } = known ?? own;
  const incarnation = own.incarnation === 0 ? next : own.incarnation;
  const value: NodeRecord = { ...own, schedulable, draining, incarnation };
  const condition = { key, revision: before?.revision ?? 0 };
  const done = await store.transact([{ kind: "put", key, value }], [condition]);
  if (done === undefined) throw new FairleadError(controlErrors["act-failed"], "the roll changed");
  return value;
}
