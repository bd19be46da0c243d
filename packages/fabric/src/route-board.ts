// SPDX-License-Identifier: Apache-2.0
// Where each member of a topology may send, as its node hands it out. Without an entry everything is allowed.
import type { Routes } from "@fairlead/protocol/fabric.ts";

export interface RouteBoard {
  /** The routes of an agent; undefined when it is no member of a topology. */
  of(scope: string, name: string): Routes | undefined;
  /** Replaces all routes of a scope; an empty map frees it. */
  set(scope: string, routes: ReadonlyMap<string, Routes>): void;
  /** Calls `listener` with each scope that changed until the returned function is called. */
  watch(listener: (scope: string) => void): () => void;
}

/** Makes a board without any topology. */
export function createRouteBoard(): RouteBoard {
  const scopes = new Map<string, ReadonlyMap<string, Routes>>();
  const listeners = new Set<(scope: string) => void>();
  return {
    of: (scope, name) => scopes.get(scope)?.get(name),
    set(scope, routes) {
      if (routes.size === 0) scopes.delete(scope);
      else scopes.set(scope, routes);
      for (const listener of listeners) listener(scope);
    },
    watch(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
