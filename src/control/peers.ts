// SPDX-License-Identifier: Apache-2.0
// The way to the other nodes of a fleet, for all that ask them or answer them: opened once, as soon as the fleet's key is known.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { PeerHandler, Peering } from "#peering/peering.ts";
import type { PeerFleet } from "./fleet.ts";
import { readFleetKey } from "./roll-entries.ts";

export interface PeersOptions {
  readonly fleet: PeerFleet;
  readonly self: { readonly id: string; readonly port: number };
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Peers {
  /** Undefined before the port is open: `problem` says why. While the fleet's store is away afterwards it stays. */
  readonly peering: Peering | undefined;
  readonly problem: string;
  /** Answers questions of that path, from when the port is open. */
  answer(path: string, handler: PeerHandler): void;
  /** Calls `listener` with the fleet's key when the port has been opened with it. */
  onKey(listener: (secret: Buffer) => void): void;
  run(signal: AbortSignal): Promise<void>;
}

const RETRY_MS = 1_000;

/** Makes the loop; nobody is asked or answered before it runs. */
export function createPeers({ fleet, self, clock, logger }: PeersOptions): Peers {
  const handlers = new Map<string, PeerHandler>();
  const listeners: ((secret: Buffer) => void)[] = [];
  let peering: Peering | undefined;
  let problem = "it has only just started";

  async function open(): Promise<Peering> {
    await using store = await fleet.openStore();
    const secret = await readFleetKey(store, fleet.makeKey);
    const opened = await fleet.startPeering({ ...self, secret });
    for (const [path, handler] of handlers) opened.answer(path, handler);
    for (const listener of listeners) listener(secret);
    return opened;
  }

  async function openOnce(signal: AbortSignal): Promise<void> {
    while (peering === undefined && !signal.aborted) {
      try {
        peering = await open();
      } catch (thrown) {
        const { message } = FairleadError.from(thrown);
        if (problem !== message) logger.warn("no way to other nodes yet", { reason: message });
        problem = message;
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  return {
    get peering() {
      return peering;
    },
    get problem() {
      return problem;
    },
    answer(path, handler) {
      handlers.set(path, handler);
      peering?.answer(path, handler);
    },
    onKey: (listener) => void listeners.push(listener),
    async run(signal) {
      await openOnce(signal);
      if (!signal.aborted)
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      await peering?.[Symbol.asyncDispose]();
    },
  };
}
