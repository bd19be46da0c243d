// SPDX-License-Identifier: Apache-2.0
// Where each member of a topology may send, as its node hands it out. Without an entry everything is allowed.
import type { Routes } from "@fairlead/protocol/fabric.ts";

export interface RouteBoard {
  /** The routes of an agent; undefined when it is no member of a topology. */
  of(scope: string, name: string): Routes | undefined;
  /** True for one that becomes a member: until it is wired nobody knows where it may send. */
  isHeld(scope: string, name: string): boolean;
  /** Holds one that becomes a member, until it has routes or the scope is released. */
  hold(scope: string, name: string): void;
  /** Holds nobody of the scope any longer. */
  release(scope: string): void;
  /** Replaces all routes of a scope; an empty map frees it. */
  set(scope: string, routes: ReadonlyMap<string, Routes>): void;
  /** Calls `listener` with each scope that changed until the returned function is called. */
  watch(listener: (scope: string) => void): () => void;
}

/** Makes a board without any topology. */
export function createRouteBoard(): RouteBoard {
  const scopes = new Map<string, ReadonlyMap<string, Routes>>();
  const held = new Map<string, Set<string>>();
  const listeners = new Set<(scope: string) => void>();
  const tell = (scope: string): void => {
    for (const listener of listeners) listener(scope);
  };
  return {
    of: (scope, name) => scopes.get(scope)?.get(name),
    isHeld: (scope, name) => held.get(scope)?.has(name) === true,
    hold(scope, name) {
      held.set(scope, (held.get(scope) ?? new Set()).add(name));
    },
    release(scope) {
      if (held.delete(scope)) tell(scope);
    },
    set(scope, routes) {
      const waiting = held.get(scope);
      for (const name of waiting ?? []) if (routes.has(name)) waiting?.delete(name);
      if (waiting?.size === 0) held.delete(scope);
      if (routes.size === 0) scopes.delete(scope);
      else scopes.set(scope, routes);
      tell(scope);
    },
    watch(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
