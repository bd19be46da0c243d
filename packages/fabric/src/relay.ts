// SPDX-License-Identifier: Apache-2.0
// Passes a conversation on to another link, with back-pressure from end to end: what the far end does not take stays with
// its sender, but for one window of bytes.
import type { Conversation } from "./conversation.ts";
import { FabricError } from "./errors.ts";
import type { Headers, Open, Status } from "./frame.ts";
import type { Link } from "./link.ts";

/** How often a conversation may be passed on, at most, so that no loop goes on. */
export const HOPS_MAX = 10;

interface Item {
  readonly payload: Uint8Array;
  readonly headers: Headers | undefined;
}

/** One direction: items of `from` go to `to`; what does not fit waits and is not yet credited. */
class Pipe {
  readonly #from: Conversation;
  readonly #to: Conversation;
  readonly #waiting: Item[] = [];
  #after: (() => void) | undefined;

  constructor(from: Conversation, to: Conversation) {
    this.#from = from;
    this.#to = to;
  }

  push(payload: Uint8Array, headers: Headers | undefined): void {
    this.#waiting.push({ payload, headers });
    this.pump();
  }

  /** Runs `end` once everything has been passed on. */
  finish(end: () => void): void {
    this.#after = end;
    this.pump();
  }

  pump(): void {
    let sent = 0;
    try {
      for (const { payload, headers } of this.#waiting) {
        if (this.#to.over || !this.#to.trySend(payload, headers)) break;
        this.#from.consumed(payload.length);
        sent++;
      }
      this.#waiting.splice(0, sent);
      if (this.#waiting.length > 0 && !this.#to.over) return;
      const end = this.#after;
      this.#after = undefined;
      end?.();
    } catch (thrown) {
      const error = FabricError.from(thrown, "internal");
      this.#from.fail(error);
      this.#to.fail(error);
    }
  }
}

/**
 * Joins the conversation `from`, which a peer opened, to a new one over `link`. A node that hands it to the agent it is for
 * does not count; whoever passes it on does. Throws `failed_precondition` with reason `hop-limit`
 * when it was passed on too often, `unavailable` when the link is closed. `onItem` is called with each item of the opener.
 */
export function relayConversation(
  from: Conversation,
  link: Link,
  open: Open,
  limit: { readonly hopsMax: number; readonly counts: boolean } = {
    hopsMax: HOPS_MAX,
    counts: true,
  },
  onItem: () => void = () => undefined,
): Conversation {
  const hops = from.open.hops + (limit.counts ? 1 : 0);
  if (hops > limit.hopsMax) {
    throw new FabricError(
      "failed_precondition",
      `passed on ${from.open.hops} times, the limit is ${limit.hopsMax}`,
      {
        reason: "hop-limit",
        facts: { method: from.open.method, target: from.open.target },
      },
    );
  }
  const to = link.open(
    { ...open, hops },
    {
      ...(from.first === undefined ? {} : { payload: from.first }),
      ...(from.headers === undefined ? {} : { headers: from.headers }),
    },
  );
  const forth = new Pipe(from, to);
  const back = new Pipe(to, from);
  from.handlers = {
    onItem(payload, headers) {
      onItem();
      forth.push(payload, headers);
    },
    onEnd: (_status, payload, headers) => forth.finish(() => to.end(payload, headers)),
    onCancel: (error) => to.fail(error),
    onRoom: () => back.pump(),
  };
  to.handlers = {
    onItem: (payload, headers) => back.push(payload, headers),
    onEnd: (status: Status, payload, headers) =>
      back.finish(() => from.end(payload, headers, status)),
    onCancel: (error) => from.fail(error),
    onRoom: () => forth.pump(),
  };
  return to;
}
