// SPDX-License-Identifier: Apache-2.0
// One node's way to the fleet's store: calls take time, do not arrive, or are done and the answer does not arrive.
import { FairleadError } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import type { Store, StoreChange } from "#store/store.ts";
import type { Life } from "./life.ts";
import { STORE, type SimNetwork } from "./sim-network.ts";

/** How the store is, for all nodes. */
export interface StoreHealth {
  /** It answers nobody. */
  away: boolean;
  /** The longest that one way of a call takes. */
  delayMsMax: number;
}

/** How long a client waits before it says that the store does not answer, as the one of etcd does. */
export const PATIENCE_MS = 5_000;
/** How often a watch that cannot be heard is looked at. */
const LOOK_MS = 250;

/** A store whose leases no other one has: a lease of the past means nothing after a loss, as with etcd's. */
export function nameLeases(store: Store, name: string): Store {
  const outer = (id: string): string => `${name}/${id}`;
  const inner = (id: string): string =>
    id.startsWith(`${name}/`) ? id.slice(name.length + 1) : `other-${id}`;
  return {
    ...store,
    transact: (operations, conditions, options) =>
      store.transact(
        operations.map((one) =>
          one.kind === "put" && one.lease !== undefined ? { ...one, lease: inner(one.lease) } : one,
        ),
        conditions,
        options,
      ),
    async grantLease(ttlMs, options) {
      const { id } = await store.grantLease(ttlMs, options);
      return { id: outer(id), ttlMs };
    },
    renewLease: (id, options) => store.renewLease(inner(id), options),
    revokeLease: (id, options) => store.revokeLease(inner(id), options),
  };
}

/** What a watch has said and nobody took yet: it goes on saying it while the first of it is on its way. */
function collect(watching: AsyncIterable<readonly StoreChange[]>) {
  let changes: StoreChange[] = [];
  let wake = (): void => undefined;
  let end: { readonly thrown: unknown } | undefined;
  async function follow(): Promise<void> {
    for await (const some of watching) {
      changes.push(...some);
      wake();
    }
  }
  follow().catch((thrown: unknown) => {
    end = { thrown };
    wake();
  });
  return {
    /** Resolves once there is something. Throws what ended the watch. */
    async ready(): Promise<void> {
      while (changes.length === 0) {
        if (end !== undefined) throw end.thrown;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    take(): readonly StoreChange[] {
      const taken = changes;
      changes = [];
      return taken;
    },
  };
}

interface DoorOptions {
  /** The one behind the door, at each call. */
  readonly store: () => Store;
  readonly health: StoreHealth;
  readonly network: SimNetwork;
  readonly life: Life;
  readonly node: string;
  readonly random: () => number;
}

/** The store as that node reaches it. Disposing it leaves the store as it is. */
export function createStoreDoor({
  store,
  health,
  network,
  life,
  node,
  random,
}: DoorOptions): Store {
  const isCut = (from: string, to: string): boolean => health.away || !network.reaches(from, to);
  const refuse = (): FairleadError =>
    new FairleadError(storeErrors["store-unavailable"], "the store does not answer");
  const travel = (signal: AbortSignal | undefined): Promise<void> =>
    life.clock.sleep(0.2 + random() * health.delayMsMax, signal);

  /** The write happens whether or not its answer comes back. */
  async function call<T>(run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const begunMs = life.clock.monotonicMs();
    const fail = async (): Promise<never> => {
      const leftMs = PATIENCE_MS - (life.clock.monotonicMs() - begunMs);
      await life.clock.sleep(Math.max(0, leftMs), signal);
      throw refuse();
    };
    if (isCut(node, STORE)) return fail();
    await travel(signal);
    if (isCut(node, STORE)) return fail();
    const result = await run();
    await travel(signal);
    return isCut(STORE, node) ? fail() : result;
  }

  /** Waits until the store can be heard. Throws when it could not for too long. */
  async function listen(signal: AbortSignal): Promise<void> {
    for (let waitedMs = 0; isCut(STORE, node); waitedMs += LOOK_MS) {
      if (waitedMs >= PATIENCE_MS) throw refuse();
      await life.clock.sleep(LOOK_MS, signal);
    }
  }

  return {
    kind: "simulated",
    operationsMax: store().operationsMax,
    get: (key, options) => call(() => store().get(key), options?.signal),
    list: (prefix, options) => call(() => store().list(prefix, options), options?.signal),
    measure: (prefix, options) => call(() => store().measure(prefix), options?.signal),
    transact: (operations, conditions, options) =>
      call(() => store().transact(operations, conditions), options?.signal),
    grantLease: (ttlMs, options) => call(() => store().grantLease(ttlMs), options?.signal),
    renewLease: (id, options) => call(() => store().renewLease(id), options?.signal),
    revokeLease: (id, options) => call(() => store().revokeLease(id), options?.signal),
    async *watch(prefix, from, { signal, ...options }) {
      signal.throwIfAborted();
      // One signal instead of a composite: that one asks all its sources each time it is asked.
      const lost = new AbortController();
      const either = lost.signal;
      const end = (): void => lost.abort(signal.reason);
      signal.addEventListener("abort", end, { once: true });
      // A connection that says nothing is asked whether it is there, as keepalives do.
      let isLooking = false;
      const look = (): void => {
        isLooking = false;
        if (either.aborted || !isCut(STORE, node)) return;
        isLooking = true;
        listen(either).then(look, (thrown: unknown) => lost.abort(thrown));
      };
      const lookSoon = (): void => {
        if (isLooking || !isCut(STORE, node)) return;
        isLooking = true;
        life.after(random() * LOOK_MS, look);
      };
      const forget = network.onCut(lookSoon);
      lookSoon();
      try {
        const waiting = collect(store().watch(prefix, from, { ...options, signal: either }));
        for (;;) {
          await waiting.ready();
          await listen(either);
          await travel(either);
          yield waiting.take();
        }
      } finally {
        forget();
        signal.removeEventListener("abort", end);
        lost.abort(refuse());
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
