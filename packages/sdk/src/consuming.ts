// SPDX-License-Identifier: Apache-2.0
// A subscription to messages that are kept: handled, then acknowledged; opened again whenever the link was lost.
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Headers } from "@fairlead/fabric/frame.ts";
import { decodeJson, encodeJson } from "@fairlead/fabric/json.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import { HEADER } from "@fairlead/fabric/log-headers.ts";
import type { Settlement, SubscribeRequest } from "@fairlead/protocol/fabric.ts";
import type { ConsumeOptions } from "./agent-options.ts";
import { toMs } from "./duration.ts";
import { ItemSender } from "./exchange.ts";
import { Message, type MessageHandler } from "./messages.ts";
import { nodeMethod } from "./node-session.ts";
import { validate, type StandardSchema } from "./standard-schema.ts";

export interface ConsumerOptions {
  readonly request: SubscribeRequest;
  readonly concurrency: number;
  readonly schema: StandardSchema | undefined;
  readonly handler: MessageHandler<unknown>;
  readonly onError: (error: FabricError, message: Message) => void;
  readonly link: (signal: AbortSignal) => Promise<Link>;
}

/** Pause before a message that failed is given out again: doubled with each attempt, up to ten seconds. */
const DELAY_MS_FIRST = 100;
const DELAY_MS_LAST = 10_000;
/** Pause before a subscription that the node refused is tried again. */
const AGAIN_MS = 500;
const ACK_MS = 30_000;
const ATTEMPTS_MAX = 5;
const IN_FLIGHT_MIN = 64;

interface Item {
  readonly payload: Uint8Array;
  readonly headers: Headers;
}

/** Takes messages until it is closed. */
export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #ending = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #done: Promise<void>;
  /** Resolves when the node has the subscription for the first time; rejects when it refuses it. */
  readonly ready: Promise<void>;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    this.ready.catch(() => undefined);
    this.#done = this.#run(ready);
  }

  /** Takes no further message, finishes what is in hand, and tells the node. */
  async drain(): Promise<void> {
    this.#ending.abort(new FabricError("canceled", "the subscription has ended"));
    await this.#done;
  }

  async #run(ready: PromiseWithResolvers<void>): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      try {
        await this.#subscribe(ready);
      } catch (thrown) {
        const error = FabricError.from(thrown);
        ready.reject(error);
        if (signal.aborted || !error.retryable) return;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }

  async #subscribe(ready: PromiseWithResolvers<void>): Promise<void> {
    const { signal } = this.#ending;
    const { request, concurrency } = this.#options;
    const link = await this.#options.link(signal);
    const ended = Promise.withResolvers<void>();
    const conversation = link.open(nodeMethod("$log/subscribe", true), {
      payload: encodeJson(request),
    });
    const sender = new ItemSender(conversation);
    const waiting: Item[] = [];
    let running = 0;
    const next = (): void => {
      while (running < concurrency && !signal.aborted) {
        const item = waiting.shift();
        if (item === undefined) return;
        running++;
        const work = this.#handle(item, sender).finally(() => {
          conversation.consumed(item.payload.length);
          running--;
          this.#running.delete(work);
          next();
        });
        this.#running.add(work);
      }
    };
    conversation.handlers = {
      onItem(payload, headers = {}) {
        // The first item, without a sequence, says that the subscription stands.
        if (headers[HEADER.sequence] === undefined) {
          conversation.consumed(payload.length);
          ready.resolve();
          return;
        }
        waiting.push({ payload, headers });
        next();
      },
      onEnd(status) {
        sender.wake();
        if (status.code === 0) ended.resolve();
        else
          ended.reject(
            new FabricError(status.code === 12 ? "unimplemented" : "unavailable", status.message),
          );
      },
      onCancel: ended.reject,
      onRoom: () => sender.wake(),
    };
    const stop = (): void => {
      void Promise.allSettled(this.#running).then(() => conversation.end());
    };
    signal.addEventListener("abort", stop, { once: true });
    try {
      await ended.promise;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async #handle(item: Item, sender: ItemSender): Promise<void> {
    const sequence = Number(item.headers[HEADER.sequence]);
    let message = this.#message(item);
    let settlement: Settlement;
    try {
      const { schema, handler } = this.#options;
      if (schema !== undefined) {
        const value = await validate(
          schema,
          decodeJson(item.payload),
          `a message of ${message.subject}`,
        );
        message = this.#message(item, { value });
      }
      await handler(message);
      settlement =
        message.rejected === undefined
          ? { ack: sequence }
          : { reject: sequence, reason: message.rejected.slice(0, 1_000) };
    } catch (thrown) {
      this.#options.onError(FabricError.from(thrown), message);
      const delayMs = Math.min(DELAY_MS_FIRST * 2 ** (message.attempt - 1), DELAY_MS_LAST);
      settlement = { nack: sequence, delayMs };
    }
    // Without a link the node gives the message out again: that is what at least once means.
    await sender.send(encodeJson(settlement)).catch(() => undefined);
  }

  #message({ payload, headers }: Item, checked?: { readonly value: unknown }): Message {
    const own = Object.entries(headers).filter(([key]) => !key.startsWith("$"));
    return new Message({
      subject: headers[HEADER.subject] ?? "",
      bytes: payload,
      headers: Object.fromEntries(own),
      from: { scope: "", name: "" },
      attempt: Number(headers[HEADER.attempt] ?? 1),
      signal: this.#ending.signal,
      ...(checked === undefined ? {} : { checked }),
    });
  }
}

/** A consumer with its defaults. */
export function createConsumer<T>(
  pattern: string,
  handler: MessageHandler<T>,
  options: ConsumeOptions<T>,
  link: ConsumerOptions["link"],
): Consumer {
  const concurrency = options.concurrency ?? 1;
  return new Consumer({
    request: {
      pattern,
      from: options.from ?? "now",
      ackTimeoutMs: toMs(options.ackTimeout ?? ACK_MS),
      attemptsMax: options.attempts ?? ATTEMPTS_MAX,
      inFlightMax: Math.max(concurrency * 2, IN_FLIGHT_MIN),
      ...(options.group === undefined ? {} : { group: options.group }),
    },
    concurrency,
    schema: options.schema,
    handler: handler as MessageHandler<unknown>,
    onError: options.onError ?? (() => undefined),
    link,
  });
}
