// SPDX-License-Identifier: Apache-2.0
// What has to be remembered about services, in memory and in the store alike.
import type { ScopeMemory, ServiceMemory } from "#model/memory.ts";
import { EMPTY_SERVICE_MEMORY } from "#model/memory.ts";
import type { Store, StoreOperation } from "#store/store.ts";

export interface MemoryBoard {
  read(scope: string): ScopeMemory;
  /** Changes one service's memory and returns what has to be written with it. */
  update(
    scope: string,
    service: string,
    change: (memory: ServiceMemory) => ServiceMemory,
  ): StoreOperation;
  /** Forgets a scope and returns what has to be written. */
  forget(scope: string): readonly StoreOperation[];
}

const PREFIX = "memory/";

/** Reads all memories from the store. */
export async function loadMemoryBoard(store: Store): Promise<MemoryBoard> {
  const scopes = new Map<string, Map<string, ServiceMemory>>();
  const of = (scope: string): Map<string, ServiceMemory> => {
    let services = scopes.get(scope);
    if (services === undefined) scopes.set(scope, (services = new Map()));
    return services;
  };
  for (const entry of (await store.list(PREFIX)).entries) {
    const [scope = "", service = ""] = entry.key.slice(PREFIX.length).split("/");
    of(scope).set(service, entry.value as ServiceMemory);
  }
  return {
    read: of,
    update(scope, service, change) {
      const value = change(of(scope).get(service) ?? EMPTY_SERVICE_MEMORY);
      of(scope).set(service, value);
      return { kind: "put", key: `${PREFIX}${scope}/${service}`, value };
    },
    forget(scope) {
      const services = [...of(scope).keys()];
      scopes.delete(scope);
      return services.map((service) => ({ kind: "delete", key: `${PREFIX}${scope}/${service}` }));
    },
  };
}
