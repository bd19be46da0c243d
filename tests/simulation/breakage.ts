// SPDX-License-Identifier: Apache-2.0
// What shows that the rules can see: a part of the fleet is broken on purpose, and histories have to say so.
import type { Assignment } from "@fairlead/protocol/assignment.ts";
import type { Store, StoreOperation } from "#store/store.ts";

/** A part that does not do what it is for. */
export type Breakage =
  /** The store takes assignments from whoever led once. */
  | "fencing"
  /** A node that cannot know whether others run its singleton goes on with it. */
  | "fence-wait"
  /** An instance is left out of each assignment. */
  | "assignment"
  /** The engine does not stop what it is told to stop. */
  | "stop"
  /** The node's own store forgets decisions. */
  | "decision";

function loseSlot(operation: StoreOperation): StoreOperation {
  if (operation.kind !== "put" || !operation.key.startsWith("assignments/")) return operation;
  const value = operation.value as Assignment;
  const services = { ...value.services, web: value.services["web"]?.slice(1) ?? [] };
  return { ...operation, value: { ...value, services } };
}

/** The fleet's store with that broken. */
export function breakStore(store: Store, breakage: Breakage | undefined): Store {
  if (breakage === "assignment")
    return {
      ...store,
      transact: (operations, conditions, options) =>
        store.transact(operations.map(loseSlot), conditions, options),
    };
  if (breakage === "fencing")
    return {
      ...store,
      transact(operations, conditions = [], options) {
        const isElection = operations.some(({ key }) => key === "leader");
        const kept = isElection ? conditions : conditions.filter(({ key }) => key !== "leader");
        return store.transact(operations, kept, options);
      },
    };
  return store;
}

/** A node's own store with that broken. */
export function breakDisk(store: Store, breakage: Breakage | undefined): Store {
  if (breakage !== "decision") return store;
  return {
    ...store,
    transact: (operations, conditions, options) =>
      store.transact(
        operations.filter(({ key }) => !key.startsWith("decision/")),
        conditions,
        options,
      ),
  };
}
