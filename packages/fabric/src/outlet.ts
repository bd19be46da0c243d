// SPDX-License-Identifier: Apache-2.0
import type { Conversation } from "./conversation.ts";
import type { Headers } from "./frame.ts";

/** Sends items of a conversation in order, waiting for room; `wake` is to be called when there is some, or it is over. */
export class Outlet {
  readonly #conversation: Conversation;
  #room = Promise.withResolvers<void>();

  constructor(conversation: Conversation) {
    this.#conversation = conversation;
  }

  wake(): void {
    this.#room.resolve();
    this.#room = Promise.withResolvers<void>();
  }

  /** False when the conversation is over. */
  async send(payload: Uint8Array, headers?: Headers): Promise<boolean> {
    while (!this.#conversation.over) {
      if (this.#conversation.trySend(payload, headers)) return true;
      await this.#room.promise;
    }
    return false;
  }
}
