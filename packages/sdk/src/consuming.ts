// SPDX-License-Identifier: Apache-2.0
// A subscription to messages that are kept: handled, then acknowledged; opened again whenever the link was lost. The node
// gives a message only for a hand that is free, so that its time and its attempt begin with its handler.
import { toError } from "@fairlead/fabric/conversation.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Headers } from "@fairlead/fabric/frame.ts";
import { encodeJson, parseJson } from "@fairlead/fabric/json.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import { HEADER } from "@fairlead/fabric/log-headers.ts";
import { nodeOpen } from "@fairlead/fabric/node-open.ts";
import type { SubscribeRequest } from "@fairlead/protocol/fabric.ts";
import type { ConsumeOptions, ConsumingEnd } from "./agent-options.ts";
import { toMs } from "./duration.ts";
import { ItemSender } from "./exchange.ts";
import { handleKept, type Handling } from "./handle-kept.ts";
import type { MessageHandler } from "./messages.ts";
import { SUBSCRIBE_ANSWER } from "./node-answers.ts";
import { checkPattern } from "./receiving.ts";

export interface ConsumerOptions {
  readonly request: SubscribeRequest;
  readonly handling: Handling;
  readonly link: (signal: AbortSignal) => Promise<Link>;
  /** Called once it takes no further message. */
  readonly onEnd: (consumer: Consumer) => void;
}

/** Pause before a subscription that the node refused for the moment is tried again. */
const AGAIN_MS = 500;
const ACK_MS = 30_000;
const ATTEMPTS_MAX = 5;

const isTrue = (): boolean => true;
const isFalse = (): boolean => false;

interface Item {
  readonly payload: Uint8Array;
  readonly headers: Headers;
}

/** A message whose handler has begun and whose outcome the node has not been told. */
interface InHand {
  readonly stop: (error: FabricError) => void;
  /** The node that gave it: another one's sequences mean other messages. */
  readonly node: string;
  /** Resolves when it is in hand no more. */
  readonly done: Promise<void>;
  /** Somebody else has the message. */
  lost: boolean;
}

/** A subscription that stands, and what came over it for which no hand was free yet. */
interface Stream {
  readonly sender: ItemSender;
  readonly node: string;
  readonly waiting: Item[];
}

/** Takes messages until it is drained or closed, or the node refuses it. */
export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #ending = new AbortController();
  readonly #inHand = new Map<number, InHand>();
  #stream: Stream | undefined;
  /** Resolves when a stream comes or goes. */
  #change = Promise.withResolvers<void>();
  #over = false;
  /** Resolves when the node has the subscription for the first time; rejects when it refuses it. */
  readonly ready: Promise<void>;
  readonly closed: Promise<ConsumingEnd>;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    this.ready.catch(() => undefined);
    this.closed = this.#run(ready);
  }

  /** Takes no further message, finishes what is in hand, and tells the node. */
  async drain(): Promise<void> {
    this.#ending.abort(new FabricError("canceled", "the subscription has ended"));
    await this.closed;
  }

  /** The same, telling the handlers to stop. */
  async close(): Promise<void> {
    const error = new FabricError("canceled", "this agent has left");
    this.#ending.abort(error);
    for (const { stop } of this.#inHand.values()) stop(error);
    await this.closed;
  }

  async #run(ready: PromiseWithResolvers<void>): Promise<ConsumingEnd> {
    const { signal } = this.#ending;
    let end: ConsumingEnd = { reason: "drained" };
    while (!signal.aborted) {
      try {
        await this.#subscribe(ready.resolve);
      } catch (thrown) {
        const error = FabricError.from(thrown);
        if (signal.aborted) break;
        if (!error.retryable && error.code !== "unavailable") {
          end = { reason: "refused", error };
          ready.reject(error);
          this.#ending.abort(error);
          this.#options.handling.onError(error, undefined);
          break;
        }
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    this.#over = true;
    this.#setStream(undefined);
    ready.reject(new FabricError("canceled", "the subscription has ended"));
    await this.#settleHands();
    this.#options.onEnd(this);
    return end;
  }

  /** Resolves when the conversation has ended in order; rejects when its link broke, or with why the node refuses it. */
  async #subscribe(onReady: () => void): Promise<void> {
    const { signal } = this.#ending;
    const link = await this.#options.link(signal);
    const node = link.peer.id;
    const holding = [...this.#inHand].filter(([, one]) => one.node === node);
    const request = { ...this.#options.request, holding: holding.map(([sequence]) => sequence) };
    const conversation = link.open(nodeOpen("$log/subscribe", true), {
      payload: encodeJson(request),
    });
    const stream: Stream = { sender: new ItemSender(conversation), node, waiting: [] };
    const ended = Promise.withResolvers<void>();
    conversation.handlers = {
      onItem: (payload, headers = {}) => {
        // No more messages come than there are hands, so that taking them from the link at once is bounded.
        conversation.consumed(payload.length);
        if (headers[HEADER.sequence] !== undefined) {
          stream.waiting.push({ payload, headers });
          this.#begin(stream);
          return;
        }
        // The first item says that the subscription stands.
        this.#letGo(holding, new Set(parseJson(payload, SUBSCRIBE_ANSWER).kept));
        this.#setStream(stream);
        onReady();
      },
      onEnd(status) {
        stream.sender.wake();
        if (status.code === 0) ended.resolve();
        else ended.reject(toError(status));
      },
      onCancel: ended.reject,
      onRoom: () => stream.sender.wake(),
    };
    const stop = (): void => void this.#settleHands().then(() => conversation.end());
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    try {
      await ended.promise;
    } finally {
      this.#setStream(undefined);
      signal.removeEventListener("abort", stop);
    }
  }

  /** What was in hand when the link broke and was given to another meanwhile. */
  #letGo(holding: readonly (readonly [number, InHand])[], kept: ReadonlySet<number>): void {
    for (const [sequence, one] of holding) {
      if (kept.has(sequence)) continue;
      one.lost = true;
      one.stop(new FabricError("aborted", "the link broke and the message was given to another"));
    }
  }

  #setStream(stream: Stream | undefined): void {
    this.#stream = stream;
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  /** The stream of the moment or the next one; undefined when there will be none. */
  async #awaitStream(): Promise<Stream | undefined> {
    while (this.#stream === undefined && !this.#over) await this.#change.promise;
    return this.#stream;
  }

  /** Begins with what waits, as far as hands are free. What has not begun when this one ends, the node takes back. */
  #begin(stream: Stream): void {
    while (this.#inHand.size < this.#options.request.inFlightMax && !this.#ending.signal.aborted) {
      const [item] = stream.waiting;
      if (item === undefined) return;
      const sequence = Number(item.headers[HEADER.sequence]);
      const before = this.#inHand.get(sequence);
      if (before !== undefined) {
        // Its time was over for the node, and is here in a moment.
        before.lost = true;
        before.stop(new FabricError("aborted", "the message was given out again"));
        return;
      }
      stream.waiting.shift();
      this.#take(sequence, item, stream);
    }
  }

  #take(sequence: number, item: Item, stream: Stream): void {
    const { ackTimeoutMs } = this.#options.request;
    const stopping = new AbortController();
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const stop = (error: FabricError): void => stopping.abort(error);
    const one: InHand = { stop, node: stream.node, done, lost: false };
    const free = (): void => {
      clearTimeout(late);
      if (this.#inHand.get(sequence) !== one) return;
      this.#inHand.delete(sequence);
      resolve();
      if (this.#stream !== undefined) this.#begin(this.#stream);
    };
    const late = setTimeout(() => {
      stop(new FabricError("deadline_exceeded", `not handled within ${ackTimeoutMs} ms`));
      free();
    }, ackTimeoutMs);
    this.#inHand.set(sequence, one);
    void this.#handle(item, one, stopping.signal).finally(free);
  }

  /** Runs the handler and tells the node, over the next link if this one broke. Whose time is over has no say. */
  async #handle(item: Item, one: InHand, signal: AbortSignal): Promise<void> {
    const settlement = await handleKept(item, this.#options.handling, signal);
    const sequence = Number(item.headers[HEADER.sequence]);
    for (;;) {
      const stream = await this.#awaitStream();
      const isOurs = this.#inHand.get(sequence) === one && !one.lost;
      if (stream === undefined || stream.node !== one.node || !isOurs) return;
      const sent = stream.sender.send(encodeJson(settlement));
      if (await sent.then(isTrue, isFalse)) return;
      if (this.#stream === stream) this.#setStream(undefined);
    }
  }

  /** Resolves once nothing is in hand; what is over its time is not waited for. */
  async #settleHands(): Promise<void> {
    while (this.#inHand.size > 0)
      await Promise.all([...this.#inHand.values()].map(({ done }) => done));
  }
}

/** A consumer with its defaults. */
function createConsumer<T>(
  pattern: string,
  handler: MessageHandler<T>,
  options: ConsumeOptions<T>,
  parts: Pick<ConsumerOptions, "link" | "onEnd"> & { readonly scope: string },
): Consumer {
  return new Consumer({
    ...parts,
    request: {
      pattern,
      from: options.from ?? "now",
      ackTimeoutMs: toMs(options.ackTimeout ?? ACK_MS),
      attemptsMax: options.attempts ?? ATTEMPTS_MAX,
      inFlightMax: options.concurrency ?? 1,
      ...(options.group === undefined ? {} : { group: options.group }),
    },
    handling: {
      scope: parts.scope,
      schema: options.schema,
      handler: handler as MessageHandler<unknown>,
      onError: options.onError ?? (() => undefined),
    },
  });
}

/** The consumers of one agent. */
export class Consumers {
  readonly #parts: Pick<ConsumerOptions, "link"> & { readonly scope: string };
  readonly #all = new Set<Consumer>();

  constructor(parts: Pick<ConsumerOptions, "link"> & { readonly scope: string }) {
    this.#parts = parts;
  }

  /** Begins at once; `ready` resolves once the node has the subscription. Throws `invalid_argument`. */
  open<T>(pattern: string, handler: MessageHandler<T>, options: ConsumeOptions<T>): Consumer {
    checkPattern(pattern);
    const onEnd = (one: Consumer): void => void this.#all.delete(one);
    const consumer = createConsumer(pattern, handler, options, { ...this.#parts, onEnd });
    this.#all.add(consumer);
    return consumer;
  }

  async drain(): Promise<void> {
    await Promise.all([...this.#all].map((consumer) => consumer.drain()));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((consumer) => consumer.close()));
  }
}
