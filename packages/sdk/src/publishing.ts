// SPDX-License-Identifier: Apache-2.0
// Messages that are kept: each is sent again, under the same id, until the node has said that it is on disk. They are sent
// in the order of publishing, also after the link broke: then all that is not confirmed goes again, before what is newer.
import { toError, type Conversation } from "@fairlead/fabric/conversation.ts";
import { FabricError, type FabricCode } from "@fairlead/fabric/errors.ts";
import type { Headers } from "@fairlead/fabric/frame.ts";
import { sizeHeaders } from "@fairlead/fabric/headers.ts";
import { parseJson } from "@fairlead/fabric/json.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import { checkKept, HEADER } from "@fairlead/fabric/log-headers.ts";
import { nodeOpen } from "@fairlead/fabric/node-open.ts";
import type { Receipt } from "@fairlead/protocol/fabric.ts";
import { findSubjectFault } from "@fairlead/protocol/subjects.ts";
import { toMs, type Duration } from "./duration.ts";
import { ItemSender } from "./exchange.ts";
import { RECEIPT } from "./node-answers.ts";

export interface PublishOptions {
  /** The same word within two minutes is kept once; a random one by default. */
  readonly dedupe?: string;
  /** Messages of one key are handled one after the other, in order. */
  readonly key?: string;
  /** At most 40 headers and 3 KiB of them. */
  readonly headers?: Headers;
  /** How long to wait for the node to keep it; 30 s by default. */
  readonly timeout?: Duration;
}

/** What the node said of a message that it keeps. */
export interface Published {
  readonly sequence: number;
  /** True when it had been kept before under the same word. */
  readonly duplicate: boolean;
}

interface Waiting {
  readonly id: string;
  readonly payload: Uint8Array;
  readonly headers: Headers;
  readonly sizeBytes: number;
  readonly done: PromiseWithResolvers<Published>;
  /** Whether it was ever given to a link. */
  sent: boolean;
}

const TIMEOUT_MS = 30_000;
/** Messages that may wait for the node; each costs about a kilobyte beside its payload. */
const WAITING_MAX = 100_000;
/** Bytes that may wait for the node: four of the largest messages that a peer accepts by default. */
const WAITING_BYTES_MAX = 67_108_864;
/** Sent messages after which the list of the unsent is shortened. */
const UNSENT_MIN = 1_024;
/** Pause before the node is asked again after it would not take messages for the moment. */
const AGAIN_MS = 100;

export interface PublishingOptions {
  readonly link: (signal: AbortSignal) => Promise<Link>;
  readonly random: () => number;
}

/** Publishes to the node's log. */
export class Publishing {
  readonly #options: PublishingOptions;
  /** Messages that the node has not confirmed, in the order of publishing. */
  readonly #waiting = new Map<string, Waiting>();
  /** Those of them that this conversation has yet to carry, from `#next` on. */
  #unsent: Waiting[] = [];
  #next = 0;
  #waitingBytes = 0;
  #sender: ItemSender | undefined;
  #pumping = false;
  readonly #ending = new AbortController();
  #count = 1;
  readonly #prefix: string;

  constructor(options: PublishingOptions) {
    this.#options = options;
    this.#prefix = Math.floor(options.random() * 2 ** 48).toString(36);
  }

  /**
   * Resolves once the message is kept. Rejects with what the node said, with `invalid_argument` for what nobody can keep,
   * `resource_exhausted` when too much waits, or `deadline_exceeded`: with the reason `not-sent` the node has not seen it,
   * with `unknown-outcome` nobody knows.
   */
  async publish(subject: string, payload: Uint8Array, options: PublishOptions): Promise<Published> {
    this.#ending.signal.throwIfAborted();
    const id = options.dedupe ?? `${this.#prefix}-${this.#count++}`;
    const known = this.#waiting.get(id);
    if (known !== undefined) return known.done.promise;
    const one = this.#add(id, subject, payload, options);
    const timeoutMs = toMs(options.timeout ?? TIMEOUT_MS);
    const timer = setTimeout(() => {
      this.#settle(id)?.reject(
        new FabricError(
          "deadline_exceeded",
          `the node did not confirm the message within ${timeoutMs} ms`,
          { reason: one.sent ? "unknown-outcome" : "not-sent" },
        ),
      );
    }, timeoutMs);
    void this.#pump();
    try {
      return await one.done.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when nothing waits for the node. */
  async flush(): Promise<void> {
    await Promise.allSettled([...this.#waiting.values()].map(({ done }) => done.promise));
  }

  close(): void {
    this.#ending.abort(new FabricError("unavailable", "this agent has left"));
    this.#refuse(new FabricError("unavailable", "this agent has left"));
    if (this.#sender?.conversation.over === false) this.#sender.conversation.end();
    this.#sender?.wake();
  }

  #add(id: string, subject: string, payload: Uint8Array, options: PublishOptions): Waiting {
    const { headers = {}, key } = options;
    const fault = findSubjectFault(subject);
    if (fault !== undefined)
      throw new FabricError("invalid_argument", `"${subject}" is no subject: ${fault}`);
    checkKept(headers, key, id);
    const sizeBytes = payload.length + sizeHeaders(headers);
    if (this.#waiting.size >= WAITING_MAX || this.#waitingBytes + sizeBytes > WAITING_BYTES_MAX)
      throw new FabricError(
        "resource_exhausted",
        `${this.#waiting.size} messages of ${this.#waitingBytes} bytes are not confirmed yet`,
        { reason: "too-many-unconfirmed" },
      );
    const all = {
      ...headers,
      [HEADER.subject]: subject,
      [HEADER.id]: id,
      ...(key === undefined ? {} : { [HEADER.key]: key }),
    };
    const done = Promise.withResolvers<Published>();
    const one = { id, payload, headers: all, sizeBytes, done, sent: false };
    this.#waiting.set(id, one);
    this.#waitingBytes += sizeBytes;
    this.#unsent.push(one);
    return one;
  }

  #settle(id: string): PromiseWithResolvers<Published> | undefined {
    const one = this.#waiting.get(id);
    if (one === undefined) return undefined;
    this.#waiting.delete(id);
    this.#waitingBytes -= one.sizeBytes;
    return one.done;
  }

  /** Sends what is unsent, one after the other; there is one at a time. */
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    const { signal } = this.#ending;
    while (this.#waiting.size > 0 && !signal.aborted) {
      try {
        const sender =
          this.#sender?.conversation.over === false ? this.#sender : await this.#open();
        this.#sender = sender;
        const one = this.#unsent[this.#next];
        if (one === undefined) break;
        await this.#send(sender, one);
        if (this.#next > UNSENT_MIN && this.#next * 2 > this.#unsent.length) this.#forgetSent();
      } catch {
        // The link cannot be had or takes nothing for the moment. Who waits has a deadline.
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    this.#pumping = false;
    this.#forgetSent();
  }

  #forgetSent(): void {
    this.#unsent.splice(0, this.#next);
    this.#next = 0;
  }

  /** Rejects the message if nobody can take it. */
  async #send(sender: ItemSender, one: Waiting): Promise<void> {
    if (this.#waiting.get(one.id) === one) {
      try {
        await sender.send(one.payload, one.headers);
        one.sent = true;
      } catch (thrown) {
        // Another conversation carries it, with all that was before it.
        if (sender.conversation.over || this.#sender !== sender) return;
        this.#settle(one.id)?.reject(FabricError.from(thrown));
      }
    }
    if (this.#sender === sender) this.#next++;
  }

  async #open(): Promise<ItemSender> {
    const link = await this.#options.link(this.#ending.signal);
    const conversation: Conversation = link.open(nodeOpen("$log/publish", true));
    const sender = new ItemSender(conversation);
    this.#unsent = [...this.#waiting.values()];
    this.#next = 0;
    conversation.handlers = {
      onItem: (payload) => {
        conversation.consumed(payload.length);
        this.#confirm(parseJson(payload, RECEIPT));
      },
      onEnd: (status) => {
        if (this.#sender === sender) this.#sender = undefined;
        // Nobody is to believe that the rest was sent.
        this.#next = this.#unsent.length;
        sender.wake();
        const error = toError(status);
        // The node has no log: waiting would not help.
        if (status.code !== 0 && !error.retryable && error.code !== "unavailable")
          this.#refuse(
            new FabricError("failed_precondition", status.message, { reason: "no-log" }),
          );
        else void this.#pump();
      },
      onCancel: () => sender.wake(),
      onRoom: () => sender.wake(),
    };
    return sender;
  }

  #refuse(error: FabricError): void {
    for (const id of this.#waiting.keys()) this.#settle(id)?.reject(error);
  }

  #confirm(receipt: Receipt): void {
    const done = this.#settle(receipt.id);
    if (!("error" in receipt))
      done?.resolve({ sequence: receipt.sequence, duplicate: receipt.duplicate });
    else {
      const { code, message, retryable, reason } = receipt.error;
      const options = reason === undefined ? { retryable } : { retryable, reason };
      done?.reject(new FabricError(code as FabricCode, message, options));
    }
  }
}
