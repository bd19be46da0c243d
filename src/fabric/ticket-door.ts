// SPDX-License-Identifier: Apache-2.0
// Who may join by a ticket. A ticket is 256 bits, which nobody guesses; who tries is told of, and after ten wrong ones in a minute
// nobody joins from there for a minute, with whatever ticket. Links that stand are left alone.
import { timingSafeEqual } from "node:crypto";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Hello } from "@fairlead/fabric/frame.ts";
import type { Clock } from "#base/clock.ts";

/** Somebody who was not let in. */
export interface TicketRefusal {
  /** `10.0.0.9`, or of which container the socket is: `vault/web`. */
  readonly address: string;
  readonly reason: string;
}

/** Where a peer comes from. */
export interface Origin {
  readonly address: string;
  /** Whose socket it dialled; undefined for one that several share. */
  readonly owner?: { readonly scope: string; readonly name: string };
  /** Whether others that have done nothing come from there in great number, so that it is not closed. */
  readonly isCommon?: boolean;
}

export interface TicketDoorOptions {
  /** The ticket that a service has. */
  readonly ticketOf: (scope: string, name: string) => string;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly onRefused?: ((refusal: TicketRefusal) => void) | undefined;
}

/** Lets in, or throws. */
export interface TicketDoor {
  /** Throws `unauthenticated`, `permission_denied` at somebody else's socket, and `resource_exhausted` while an origin is closed. */
  admit(origin: Origin, peer: Hello): void;
}

const WRONG_MAX = 10;
const WINDOW_MS = 60_000;
/** Origins that are remembered; the one that tried longest ago is forgotten first. */
const ORIGINS_MAX = 1_000;

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Begins with every origin open. */
export function createTicketDoor(options: TicketDoorOptions): TicketDoor {
  const { ticketOf, clock, onRefused = () => undefined } = options;
  const wrong = new Map<string, number[]>();

  function readWrong(address: string): number[] {
    const since = clock.monotonicMs() - WINDOW_MS;
    return (wrong.get(address) ?? []).filter((atMs) => atMs > since);
  }

  function noteWrong(address: string): void {
    const times = [...readWrong(address), clock.monotonicMs()];
    wrong.delete(address);
    wrong.set(address, times);
    const [oldest] = wrong.keys();
    if (wrong.size > ORIGINS_MAX && oldest !== undefined) wrong.delete(oldest);
  }

  function judge({ owner }: Origin, { scope, name, ticket }: Hello): FabricError | undefined {
    if (!isSame(ticket, ticketOf(scope, name)))
      return new FabricError("unauthenticated", `${scope}/${name} may not join with this ticket`, {
        reason: "ticket",
      });
    // Whoever dials a container's own socket is that container, whatever else it shows.
    if (owner === undefined || (owner.scope === scope && owner.name === name)) return undefined;
    return new FabricError(
      "permission_denied",
      `this socket is that of ${owner.scope}/${owner.name}, and the peer says that it is ${scope}/${name}`,
      { reason: "place" },
    );
  }

  return {
    admit(origin, peer) {
      const { address, isCommon = false } = origin;
      if (!isCommon && readWrong(address).length >= WRONG_MAX) {
        const message = `${WRONG_MAX} wrong tickets came from ${address} in the last minute: nobody joins from there meanwhile`;
        onRefused({ address, reason: message });
        throw new FabricError("resource_exhausted", message, { reason: "attempts" });
      }
      const refused = judge(origin, peer);
      if (refused === undefined) return;
      if (!isCommon) noteWrong(address);
      onRefused({ address, reason: refused.message });
      throw refused;
    },
  };
}
