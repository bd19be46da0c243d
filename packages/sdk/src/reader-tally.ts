// SPDX-License-Identifier: Apache-2.0
// How this agent's readers keep up with messages that come straight from others: what waits for them, and how often and for
// how long they held their senders up. A slow reader holds up its own senders only; this tells which one it is.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import type { Backlog } from "@fairlead/protocol/agent.ts";

/** What changes in this time is told at once. */
const TELL_MS = 2_000;

/** Counts for all the readers of one agent. */
export class ReaderTally {
  /** Bytes of messages that came and that no handler has begun with. */
  waitingBytes = 0;
  readonly #onChange: () => void;
  /** Since when publishers wait, milliseconds of the steady clock. */
  readonly #held = new Map<Conversation, number>();
  #heldTimes = 0;
  #heldMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `onChange` is called soon after `backlog` has changed, and now and then while somebody is held up. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Undefined while nobody was ever held up. */
  get backlog(): Backlog | undefined {
    if (this.#heldTimes === 0) return undefined;
    const nowMs = performance.now();
    let heldMs = this.#heldMs;
    for (const sinceMs of this.#held.values()) heldMs += nowMs - sinceMs;
    const { waitingBytes } = this;
    return { waitingBytes, heldTimes: this.#heldTimes, heldMs: Math.round(heldMs) };
  }

  /** To be called when a message of a publisher came, or was handled, and when it has left. */
  note(conversation: Conversation): void {
    const isHeld = conversation.spent && !conversation.over;
    const sinceMs = this.#held.get(conversation);
    if (isHeld === (sinceMs !== undefined)) return;
    const nowMs = performance.now();
    if (sinceMs === undefined) {
      this.#heldTimes++;
      this.#held.set(conversation, nowMs);
    } else {
      this.#heldMs += nowMs - sinceMs;
      this.#held.delete(conversation);
    }
    this.#arm();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#held.clear();
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#onChange();
      if (this.#held.size + this.waitingBytes > 0) this.#arm();
    }, TELL_MS).unref();
  }
}
