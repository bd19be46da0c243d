// SPDX-License-Identifier: Apache-2.0
// Where the addresses of services stand: in the fleet's store, or in the node's own.
//
//   addresses/of/SCOPE/SERVICE    the service's addresses, and how connections to them are given away
//   addresses/at/ADDRESS          whose it is, so that no two services get the same
import { z } from "zod";
import type { FleetBoard } from "#control/fleet/fleet-board.ts";
import type { Entry, Store } from "#store/store.ts";

export const SHELF_ROOM = "addresses";
export const serviceAt = (key: string): string => `${SHELF_ROOM}/of/${key}`;
export const addressAt = (address: string): string => `${SHELF_ROOM}/at/${address}`;

/** A service's addresses. */
export const AddressEntry = z.object({
  addresses: z.array(z.string()),
  local: z.boolean(),
  sticky: z.boolean(),
});
export type AddressEntry = z.infer<typeof AddressEntry>;

/** As much of a store's picture as addresses need. */
export type AddressShelf = Pick<FleetBoard, "get" | "list" | "write" | "onChange" | "problem">;

/** A shelf of a node by itself, over its own store, which nobody else writes. */
export async function openOwnShelf(store: Store): Promise<AddressShelf> {
  const rooms = new Map<string, Map<string, Entry>>([[SHELF_ROOM, new Map()]]);
  const room = (name: string): Map<string, Entry> => rooms.get(name) ?? new Map();
  const listeners: ((keys: readonly string[]) => void)[] = [];
  const after = (key: string): string => key.slice(SHELF_ROOM.length + 1);
  for (const entry of (await store.list(`${SHELF_ROOM}/`)).entries)
    room(SHELF_ROOM).set(after(entry.key), entry);
  return {
    problem: undefined,
    get: (key) => room(SHELF_ROOM).get(after(key)),
    list: room,
    async write(operations, conditions) {
      const revision = await store.transact(operations, conditions);
      if (revision === undefined) return undefined;
      for (const operation of operations) {
        const { key } = operation;
        if (operation.kind === "put")
          room(SHELF_ROOM).set(after(key), { key, value: operation.value, revision });
        else room(SHELF_ROOM).delete(after(key));
      }
      const keys = operations.map(({ key }) => key);
      for (const listener of listeners) listener(keys);
      return revision;
    },
    onChange: (listener) => void listeners.push(listener),
  };
}
