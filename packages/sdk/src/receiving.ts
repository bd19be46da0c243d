// SPDX-License-Identifier: Apache-2.0
// Subscriptions of this agent, and what is done with messages that come straight from their publishers.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Headers } from "@fairlead/fabric/frame.ts";
import { decodeJson } from "@fairlead/fabric/json.ts";
import type { SubjectIndex } from "@fairlead/fabric/subject-index.ts";
import { SUBSCRIPTIONS_MAX } from "@fairlead/protocol/names.ts";
import { findPatternFault } from "@fairlead/protocol/subjects.ts";
import type { SubscribeOptions } from "./agent-options.ts";
import type { Caller } from "./credentials.ts";
import { Message, type MessageHandler } from "./messages.ts";
import type { ReaderTally } from "./reader-tally.ts";
import { validate, type StandardSchema } from "./standard-schema.ts";

export interface DirectSubscription {
  readonly pattern: string;
  readonly group: string;
  readonly concurrency: number;
  readonly schema: StandardSchema | undefined;
  readonly handler: MessageHandler<unknown>;
  readonly signal: AbortSignal;
  /** Told of a handler that threw: a direct message is not given out again. */
  readonly onError: (error: FabricError, message: Message) => void;
}

/** What holds for all the messages of a publisher. */
export interface Receiving {
  readonly from: Caller;
  readonly tally: ReaderTally;
}

interface Item {
  readonly payload: Uint8Array;
  readonly headers: Headers | undefined;
}

/** Runs the handler of a subscription, at most so many at once, and gives credit when it is done. */
class Lane {
  readonly #subscription: DirectSubscription;
  readonly #conversation: Conversation;
  readonly #receiving: Receiving;
  readonly #onIdle: () => void;
  readonly #waiting: Item[] = [];
  #running = 0;

  constructor(
    subscription: DirectSubscription,
    conversation: Conversation,
    receiving: Receiving,
    onIdle: () => void,
  ) {
    this.#subscription = subscription;
    this.#conversation = conversation;
    this.#receiving = receiving;
    this.#onIdle = onIdle;
  }

  /** True when nothing waits and nothing runs. */
  get idle(): boolean {
    return this.#running === 0;
  }

  push(item: Item): void {
    if (this.#running < this.#subscription.concurrency) return this.#start(item);
    this.#waiting.push(item);
    this.#receiving.tally.waitingBytes += item.payload.length;
  }

  #start(item: Item): void {
    const { payload } = item;
    const work = this.#handle(item);
    if (work === undefined) {
      this.#conversation.consumed(payload.length);
      return;
    }
    this.#running++;
    void work.finally(() => {
      const { tally } = this.#receiving;
      this.#conversation.consumed(payload.length);
      tally.note(this.#conversation);
      this.#running--;
      const next = this.#waiting.shift();
      if (next === undefined) return this.#onIdle();
      tally.waitingBytes -= next.payload.length;
      this.#start(next);
    });
  }

  /** Undefined when the handler was done at once. */
  #handle(item: Item): Promise<void> | undefined {
    const { schema } = this.#subscription;
    if (schema !== undefined) return this.#handleChecked(schema, item);
    const message = this.#message(item);
    try {
      const result = this.#subscription.handler(message);
      if (!(result instanceof Promise)) return undefined;
      return result.catch((thrown: unknown) => this.#report(thrown, message));
    } catch (thrown) {
      this.#report(thrown, message);
      return undefined;
    }
  }

  async #handleChecked(schema: StandardSchema, item: Item): Promise<void> {
    let message = this.#message(item);
    try {
      const data = decodeJson(item.payload);
      const value = await validate(schema, data, `a message of ${message.subject}`);
      message = this.#message(item, { value });
      await this.#subscription.handler(message);
    } catch (thrown) {
      this.#report(thrown, message);
    }
  }

  #report(thrown: unknown, message: Message): void {
    this.#subscription.onError(FabricError.from(thrown), message);
  }

  #message({ payload, headers: own }: Item, checked?: { readonly value: unknown }): Message {
    const headers = this.#conversation.headers ?? {};
    return new Message({
      subject: headers["subject"] ?? "",
      bytes: payload,
      headers: own === undefined ? headers : { ...headers, ...own },
      from: this.#receiving.from,
      attempt: 1,
      signal: this.#subscription.signal,
      ...(checked === undefined ? {} : { checked }),
    });
  }
}

/** Gives the items of a publisher's conversation to the subscriptions that match. */
export function receiveMessages(
  conversation: Conversation,
  subscriptions: SubjectIndex<DirectSubscription>,
  receiving: Receiving,
): void {
  const { tally } = receiving;
  const { subject = "", group = "" } = conversation.headers ?? {};
  const lanes: Lane[] = [];
  let ended = false;
  // A publisher that ends here and begins again waits for the end, so that messages keep their order.
  const finish = (): void => {
    if (ended && lanes.every(({ idle }) => idle)) conversation.end();
  };
  for (const subscription of subscriptions.match(subject)) {
    if (subscription.group !== group) continue;
    lanes.push(new Lane(subscription, conversation, receiving, finish));
    // A member of a group gets a message once, however many of its subscriptions match.
    if (group !== "") break;
  }
  if (lanes.length === 0) throw new FabricError("not_found", `nobody here wants "${subject}"`);
  const [only] = lanes;
  conversation.handlers = {
    onItem(payload, headers) {
      const item = { payload, headers };
      if (lanes.length === 1 && only !== undefined) only.push(item);
      else for (const lane of lanes) lane.push(item);
      tally.note(conversation);
    },
    onEnd() {
      ended = true;
      finish();
      tally.note(conversation);
    },
    onCancel: () => tally.note(conversation),
    onRoom: () => undefined,
  };
}

/** Throws `invalid_argument` for what is no pattern. */
export function checkPattern(pattern: string): void {
  const fault = findPatternFault(pattern);
  if (fault !== undefined)
    throw new FabricError("invalid_argument", `"${pattern}" is no pattern: ${fault}`);
}

/** The error of an agent that wants to hear more patterns than its record may hold. */
export function tooManySubscriptions(): FabricError {
  return new FabricError(
    "resource_exhausted",
    `an agent hears at most ${SUBSCRIPTIONS_MAX} patterns: use one with * or >, and tell subjects apart in its handler`,
    { reason: "subscriptions" },
  );
}

/** A subscription with its defaults, and what ends it. Throws `invalid_argument` for what is no pattern. */
export function createSubscription<T>(
  pattern: string,
  handler: MessageHandler<T>,
  options: SubscribeOptions<T>,
): readonly [DirectSubscription, () => void] {
  checkPattern(pattern);
  const ending = new AbortController();
  const subscription: DirectSubscription = {
    pattern,
    group: options.group ?? "",
    concurrency: options.concurrency ?? 1,
    schema: options.schema,
    handler: handler as MessageHandler<unknown>,
    signal: ending.signal,
    onError: options.onError ?? (() => undefined),
  };
  return [
    subscription,
    () => ending.abort(new FabricError("canceled", "the subscription has ended")),
  ];
}
