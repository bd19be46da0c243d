// SPDX-License-Identifier: Apache-2.0
// How what is wanted of a scope gets into this node's store, from where its loop takes it: by whoever asks this node, and
// of a fleet by its assignments.
import type { Clock } from "#base/clock.ts";
import { fillsSlot } from "#brain/ground.ts";
import { noteImages } from "#brain/image-change.ts";
import { makeRequest } from "#brain/request.ts";
import type { Intent } from "#model/intent.ts";
import { EMPTY_SERVICE_MEMORY, type ServiceMemory } from "#model/memory.ts";
import type { Store, StoreOperation } from "#store/store.ts";
import type { FactsBoard } from "./facts-board.ts";
import type { MemoryBoard } from "./memory-board.ts";
import type { Desired } from "./scope-loop.ts";
import { scopeKey, type Supervisor } from "./supervisor.ts";

export interface IntakeParts {
  readonly store: Store;
  readonly board: FactsBoard;
  readonly supervisor: Supervisor;
  readonly memory: MemoryBoard;
  readonly clock: Clock;
}

type Change = (service: string, memory: ServiceMemory) => ServiceMemory;

export interface Intake {
  /** What asking for an intent makes of a service's memory: old failures are forgiven, what ran before is kept. */
  refresh(intent: Intent, recreateAtMs: number | undefined): Change;
  /** Stores what is wanted together with what that makes of the memory. */
  take(desired: Desired, recreateAtMs: number | undefined): Promise<void>;
  /** Stores what is wanted, and leaves the memory as it is. */
  put(desired: Desired, also?: readonly StoreOperation[]): Promise<void>;
}

/** Makes it over the parts of a node. */
export function createIntake({ store, board, supervisor, memory, clock }: IntakeParts): Intake {
  function refresh(
    intent: Intent,
    recreateAtMs: number | undefined,
  ): (service: string, memory: ServiceMemory) => ServiceMemory {
    const before = supervisor.loop(intent.scope)?.desired.intent.services;
    const facts = board.read();
    const instances = facts.instances.filter((one) => fillsSlot(one, intent.scope));
    const byService = Map.groupBy(instances, (one) => one.service);
    return (name, { rolloutFailed: _failed, previous, resting, ...rest }) => {
      const old = before?.find((service) => service.name === name);
      const now = intent.services.find((service) => service.name === name);
      const resters = instances.filter((one) => resting?.[String(one.slot)] !== undefined);
      const changed = old !== undefined && now !== undefined && old.hash !== now.hash;
      const kept = changed ? old : previous;
      const fresh: ServiceMemory = {
        ...rest,
        slots: {},
        ...(kept === undefined ? {} : { previous: kept }),
        // What an agent has stopped is wanted again.
        ...(resting === undefined
          ? {}
          : { restartRequested: makeRequest(intent.scope, name, resters, clock.nowMs()) }),
        ...(recreateAtMs === undefined
          ? {}
          : { recreateRequested: makeRequest(intent.scope, name, instances, recreateAtMs) }),
      };
      if (now === undefined) return fresh;
      const look = { service: now, before: old, facts, instances: byService.get(name) ?? [] };
      return noteImages(fresh, look);
    };
  }

  async function put(desired: Desired, also: readonly StoreOperation[] = []): Promise<void> {
    const key = scopeKey(desired.intent.scope);
    await store.transact([...also, { kind: "put", key, value: desired }]);
  }

  return {
    refresh,
    put,
    async take(desired, recreateAtMs) {
      const { scope, services } = desired.intent;
      const change = refresh(desired.intent, recreateAtMs);
      const known = memory.read(scope);
      const also = services
        .filter(
          ({ name }) =>
            recreateAtMs !== undefined ||
            known.has(name) ||
            change(name, EMPTY_SERVICE_MEMORY).previous !== undefined,
        )
        .map(({ name }) => memory.update(scope, name, (entry) => change(name, entry)));
      await put(desired, also);
    },
  };
}
