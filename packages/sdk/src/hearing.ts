// SPDX-License-Identifier: Apache-2.0
// What this agent hears of the messages that are sent to it directly.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import { SubjectIndex } from "@fairlead/fabric/subject-index.ts";
import type { Backlog } from "@fairlead/protocol/agent.ts";
import { SUBSCRIPTIONS_MAX } from "@fairlead/protocol/names.ts";
import type { Subscribed, SubscribeOptions } from "./agent-options.ts";
import type { Caller } from "./credentials.ts";
import type { MessageHandler } from "./messages.ts";
import { ReaderTally } from "./reader-tally.ts";
import {
  createSubscription,
  receiveMessages,
  tooManySubscriptions,
  type DirectSubscription,
} from "./receiving.ts";
import { traceHandler } from "./tracing.ts";

/** The subscriptions of one agent. */
export class Hearing {
  readonly #onChange: () => void;
  readonly #all = new Set<DirectSubscription>();
  readonly #bySubject = new SubjectIndex<DirectSubscription>();
  readonly #tally: ReaderTally;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
    this.#tally = new ReaderTally(onChange);
  }

  get all(): Iterable<DirectSubscription> {
    return this.#all;
  }

  /** How they keep up; undefined while they never held a sender up. */
  get backlog(): Backlog | undefined {
    return this.#tally.backlog;
  }

  /** Throws `invalid_argument` for what is no pattern, `resource_exhausted` beyond a thousand of them. */
  add<T>(pattern: string, handler: MessageHandler<T>, options: SubscribeOptions<T>): Subscribed {
    const [subscription, end] = createSubscription(pattern, traceHandler(handler), options);
    if (this.#all.size >= SUBSCRIPTIONS_MAX) throw tooManySubscriptions();
    this.#all.add(subscription);
    this.#bySubject.add(pattern, subscription);
    this.#onChange();
    return {
      close: () => {
        this.#all.delete(subscription);
        this.#bySubject.delete(pattern, subscription);
        end();
        this.#onChange();
      },
    };
  }

  /** Takes what a publisher sends. */
  receive(conversation: Conversation, from: Caller): void {
    receiveMessages(conversation, this.#bySubject, { from, tally: this.#tally });
  }

  /** Counts no more. */
  close(): void {
    this.#tally.close();
  }
}
