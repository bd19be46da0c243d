// SPDX-License-Identifier: Apache-2.0
// One call or one stream over one link.
import { toError, type Conversation } from "@fairlead/fabric/conversation.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Headers, Open } from "@fairlead/fabric/frame.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import { Slice } from "./slice.ts";

export interface ExchangeOptions {
  readonly payload?: Uint8Array;
  readonly headers?: Headers;
  readonly signal?: AbortSignal | undefined;
}

function ignore(): void {
  // Nothing to do.
}

/** Ends the conversation when the signal aborts; returns what undoes that. */
function watchSignal(
  conversation: Conversation,
  signal: AbortSignal | undefined,
  then: (error: FabricError) => void,
): () => void {
  if (signal === undefined) return ignore;
  const stop = (): void => {
    const error = FabricError.from(signal.reason, "canceled");
    conversation.fail(error);
    then(error);
  };
  if (signal.aborted) {
    stop();
    return ignore;
  }
  signal.addEventListener("abort", stop, { once: true });
  return () => signal.removeEventListener("abort", stop);
}

/** Asks once and gives the answer's bytes; undefined when it is empty. Rejects with a FabricError. */
export function callOnce(
  link: Link,
  open: Open,
  options: ExchangeOptions,
): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    let last: Uint8Array | undefined;
    const conversation = link.open(open, options);
    let unwatch = ignore;
    conversation.handlers = {
      onItem(payload) {
        last = payload;
        conversation.consumed(payload.length);
      },
      onEnd(status, payload) {
        unwatch();
        if (status.code === 0) resolve(payload ?? last);
        else reject(toError(status));
      },
      onCancel: ignore,
      onRoom: ignore,
    };
    unwatch = watchSignal(conversation, options.signal, reject);
  });
}

/** Asks for a stream of items. Leaving the loop cancels the other side; items not yet read are at most one window. */
export async function* streamOnce(
  link: Link,
  open: Open,
  options: ExchangeOptions,
): AsyncGenerator<Uint8Array> {
  const conversation = link.open(open, options);
  const items: Uint8Array[] = [];
  let end: { readonly error: FabricError | undefined } | undefined;
  let wake = ignore;
  const finish = (error: FabricError | undefined): void => {
    end ??= { error };
    wake();
  };
  conversation.handlers = {
    onItem(payload) {
      items.push(payload);
      wake();
    },
    onEnd(status, payload) {
      if (payload !== undefined) items.push(payload);
      finish(status.code === 0 ? undefined : toError(status));
    },
    onCancel: finish,
    onRoom: ignore,
  };
  const unwatch = watchSignal(conversation, options.signal, finish);
  const slice = new Slice();
  try {
    while (true) {
      const pause = slice.pause();
      if (pause !== undefined) await pause;
      const item = items.shift();
      if (item !== undefined) {
        conversation.consumed(item.length);
        yield item;
      } else if (end !== undefined) {
        if (end.error !== undefined) throw end.error;
        return;
      } else {
        await new Promise<void>((resolve) => (wake = resolve));
        wake = ignore;
      }
    }
  } finally {
    unwatch();
    conversation.fail(new FabricError("canceled", "the reader has left"));
  }
}

/** Sends items as fast as the peer takes them. */
export class ItemSender {
  readonly conversation: Conversation;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(conversation: Conversation) {
    this.conversation = conversation;
  }

  /** To be called by the conversation's `onRoom`, and when it is over. */
  wake(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  /** Resolves once the item is on its way. Rejects when the conversation is over. */
  async send(payload: Uint8Array, headers?: Headers): Promise<void> {
    while (!this.conversation.trySend(payload, headers)) {
      this.#room ??= Promise.withResolvers<void>();
      await this.#room.promise;
    }
  }
}
