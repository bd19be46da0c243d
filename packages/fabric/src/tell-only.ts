// SPDX-License-Identifier: Apache-2.0
import type { Conversation } from "./conversation.ts";

/** A side that only tells: what it hears means nothing, and it ends when the other does. */
export interface TellOnly {
  /** Called when there is room to tell more. */
  readonly send: () => void;
  /** Called once, when nobody is told any more. */
  readonly stop: () => void;
}

/** Makes a side of a conversation such a one. */
export function tellOnly(conversation: Conversation, { send, stop }: TellOnly): void {
  conversation.handlers = {
    onItem: () => undefined,
    onEnd() {
      stop();
      conversation.end();
    },
    onCancel: stop,
    onRoom: send,
  };
}
