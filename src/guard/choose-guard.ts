// SPDX-License-Identifier: Apache-2.0
// nftables where it works, else iptables: asked of the host when something is wanted of the guard, since a program may be missing
// and a kernel may lack what it needs. Where neither works it is asked again each time, and what is wanted fails as with nftables.
import { isKind } from "#base/errors.ts";
import { netfilterErrors } from "#netfilter/errors.ts";
import type { Guard } from "./guard.ts";

/** Nobody comes, and nothing is told. */
const NOBODY: AsyncIterable<never> = { async *[Symbol.asyncIterator]() {} };

/** What there is to choose from. */
export interface GuardChoice {
  readonly nftables: Guard;
  readonly iptables: Guard;
  /** Throws where it does not work. */
  readonly tryNftables: () => Promise<unknown>;
  readonly tryIptables: () => Promise<unknown>;
  /** Whether the gate of iptables stands, of an earlier life that had to do without nftables. */
  readonly hasLeft: () => Promise<boolean>;
}

const UNSUPPORTED = /not supported|does not exist/i;

/** Whether a program is there and the kernel takes what it says. */
async function works(ask: Promise<unknown>): Promise<boolean> {
  try {
    await ask;
    return true;
  } catch (thrown) {
    const isLacking =
      isKind(thrown, netfilterErrors["netfilter-tools"]) ||
      (isKind(thrown, netfilterErrors["netfilter-refused"]) && UNSUPPORTED.test(thrown.message));
    // What else went wrong may go well the next time.
    if (isLacking) return false;
    throw thrown;
  }
}

/** nftables that takes over from iptables: what that has left of an instance, or of the gate, ends when its own stands. */
function takeOver(guard: Guard, before: Guard): Guard {
  const done = new Set<string>();
  let isOpened = false;
  return {
    ...guard,
    async protect(ward, options) {
      const protection = await guard.protect(ward, options);
      if (!done.has(ward.id)) await before.release(ward, options);
      done.add(ward.id);
      return protection;
    },
    async release(place, options) {
      const [first, second] = [
        await guard.release(place, options),
        !done.has(place.id) && (await before.release(place, options)),
      ];
      done.add(place.id);
      return first || second;
    },
    async gate(order) {
      const result = await guard.gate(order);
      if (!isOpened) await before.gate({ ...order, bridges: [], ready: [], shortcuts: [] });
      isOpened = true;
      return result;
    },
  };
}

/** The guard of this host. Nothing is asked of it before the first call. */
export function chooseGuard(options: GuardChoice): Guard {
  const { nftables, iptables, tryNftables, tryIptables, hasLeft } = options;
  let chosen: Guard | undefined;
  let choosing: Promise<Guard> | undefined;

  async function choose(): Promise<Guard> {
    try {
      if (await works(tryNftables()))
        return (chosen = (await hasLeft()) ? takeOver(nftables, iptables) : nftables);
      if (await works(tryIptables())) return (chosen = iptables);
    } catch {
      // It will say itself what is wrong, and shut what it cannot hold.
    }
    return nftables;
  }

  /** One at a time. */
  function find(): Promise<Guard> {
    if (chosen !== undefined) return Promise.resolve(chosen);
    choosing ??= choose().finally(() => (choosing = undefined));
    return choosing;
  }

  return {
    get kind() {
      return (chosen ?? nftables).kind;
    },
    get tellsApart() {
      return (chosen ?? nftables).tellsApart;
    },
    protect: async (ward, calling) => (await find()).protect(ward, calling),
    admit: async (place, pins) => (await find()).admit(place, pins),
    gate: async (order) => (await find()).gate(order),
    foresee: (guests) => chosen?.foresee?.(guests),
    watchLosses: (signal) => chosen?.watchLosses?.(signal) ?? NOBODY,
    awaitStart: (...asked) => chosen?.awaitStart?.(...asked) ?? NOBODY,
    release: async (place, calling) => (await find()).release(place, calling),
    inspect: async (place, calling) => (await find()).inspect(place, calling),
    probe: async (...asked) => (await find()).probe(...asked),
  };
}
