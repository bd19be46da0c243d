// SPDX-License-Identifier: Apache-2.0
// The way to the other nodes of a fleet, for all that ask them or answer them: opened once, as soon as this node has a certificate.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { PeerHandler, Peering, Refusal } from "#peering/peering.ts";
import type { PeerFleet } from "./fleet.ts";
import type { IdentityKeeper } from "./identity/keep-identity.ts";
import { readFleetKey } from "./roll-entries.ts";

export interface PeersOptions {
  readonly fleet: PeerFleet;
  readonly self: { readonly port: number };
  /** Runs with this loop. */
  readonly identity: IdentityKeeper;
  /** Called for each that is turned away at the port. */
  readonly onRefused: (refusal: Refusal) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Peers {
  /** Who this node is, and who the others are. */
  readonly identity: IdentityKeeper;
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
export function createPeers(options: PeersOptions): Peers {
  const { fleet, self, identity, onRefused, clock, logger } = options;
  const handlers = new Map<string, PeerHandler>();
  const listeners: ((secret: Buffer) => void)[] = [];
  let peering: Peering | undefined;
  let problem = "it has only just started";

  async function open(signal: AbortSignal): Promise<Peering> {
    const credentials = await identity.ready(signal);
    await using store = await fleet.openStore();
    const secret = await readFleetKey(store, fleet.makeKey);
    const opened = await fleet.startPeering({ port: self.port, credentials, onRefused });
    for (const [path, handler] of handlers) opened.answer(path, handler);
    for (const listener of listeners) listener(secret);
    return opened;
  }

  async function openOnce(signal: AbortSignal): Promise<void> {
    while (peering === undefined && !signal.aborted) {
      try {
        peering = await open(signal);
      } catch (thrown) {
        if (signal.aborted) break;
        const { message } = FairleadError.from(thrown);
        if (problem !== message) logger.warn("no way to other nodes yet", { reason: message });
        problem = message;
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  return {
    identity,
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
      const known = identity.run(signal);
      await openOnce(signal);
      await known;
      await peering?.[Symbol.asyncDispose]();
    },
  };
}
