// SPDX-License-Identifier: Apache-2.0
// Messages that are kept: each is sent again, under the same id, until the node has said that it is on disk.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import { FabricError, type FabricCode } from "@fairlead/fabric/errors.ts";
import type { Headers } from "@fairlead/fabric/frame.ts";
import { parseJson } from "@fairlead/fabric/json.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import { HEADER } from "@fairlead/fabric/log-headers.ts";
import type { Receipt } from "@fairlead/protocol/fabric.ts";
import { toMs, type Duration } from "./duration.ts";
import { ItemSender } from "./exchange.ts";
import { RECEIPT } from "./node-answers.ts";
import { nodeMethod } from "./node-session.ts";

export interface PublishOptions {
  /** The same word within two minutes is kept once; a random one by default. */
  readonly dedupe?: string;
  /** Messages of one key are handled one after the other, in order. */
  readonly key?: string;
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
  readonly payload: Uint8Array;
  readonly headers: Headers;
  readonly done: PromiseWithResolvers<Published>;
}

const TIMEOUT_MS = 30_000;
const WAITING_MAX = 100_000;

export interface PublishingOptions {
  readonly link: () => Promise<Link>;
  readonly random: () => number;
}

/** Publishes to the node's log. */
export class Publishing {
  readonly #options: PublishingOptions;
  /** Messages that the node has not confirmed, in the order of publishing. */
  readonly #waiting = new Map<string, Waiting>();
  #sender: Promise<ItemSender> | undefined;
  #next = 1;
  readonly #prefix: string;

  constructor(options: PublishingOptions) {
    this.#options = options;
    this.#prefix = Math.floor(options.random() * 2 ** 48).toString(36);
  }

  /** Resolves once the message is kept. Rejects with what the node said, or `deadline_exceeded`: then nobody knows. */
  async publish(subject: string, payload: Uint8Array, options: PublishOptions): Promise<Published> {
    if (this.#waiting.size >= WAITING_MAX)
      throw new FabricError("resource_exhausted", `${WAITING_MAX} messages are not confirmed yet`);
    const id = options.dedupe ?? `${this.#prefix}-${this.#next++}`;
    const known = this.#waiting.get(id);
    if (known !== undefined) return known.done.promise;
    const done = Promise.withResolvers<Published>();
    const headers = {
      ...options.headers,
      [HEADER.subject]: subject,
      [HEADER.id]: id,
      ...(options.key === undefined ? {} : { [HEADER.key]: options.key }),
    };
    this.#waiting.set(id, { payload, headers, done });
    const timeoutMs = toMs(options.timeout ?? TIMEOUT_MS);
    const timer = setTimeout(() => {
      this.#settle(id)?.reject(
        new FabricError(
          "deadline_exceeded",
          `the node did not confirm the message within ${timeoutMs} ms`,
        ),
      );
    }, timeoutMs);
    this.#send(id).catch((thrown: unknown) => this.#settle(id)?.reject(FabricError.from(thrown)));
    try {
      return await done.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when nothing waits for the node. */
  async flush(): Promise<void> {
    await Promise.allSettled([...this.#waiting.values()].map(({ done }) => done.promise));
  }

  close(): void {
    for (const id of this.#waiting.keys())
      this.#settle(id)?.reject(new FabricError("unavailable", "this agent has left"));
    void this.#sender?.then(({ conversation }) => conversation.end());
  }

  #settle(id: string): PromiseWithResolvers<Published> | undefined {
    const done = this.#waiting.get(id)?.done;
    this.#waiting.delete(id);
    return done;
  }

  async #send(id: string): Promise<void> {
    const opening = (this.#sender ??= this.#open());
    opening.catch(() => {
      if (this.#sender === opening) this.#sender = undefined;
    });
    const sender = await opening;
    const waiting = this.#waiting.get(id);
    if (waiting === undefined || sender.conversation.over) return;
    // When the link breaks meanwhile, opening it anew sends all that waits.
    await sender.send(waiting.payload, waiting.headers).catch(() => undefined);
  }

  async #open(): Promise<ItemSender> {
    const link = await this.#options.link();
    const conversation: Conversation = link.open(nodeMethod("$log/publish", true));
    const sender = new ItemSender(conversation);
    conversation.handlers = {
      onItem: (payload) => {
        conversation.consumed(payload.length);
        this.#confirm(parseJson(payload, RECEIPT));
      },
      onEnd: (status) => {
        sender.wake();
        this.#sender = undefined;
        // The node has no log: waiting would not help.
        if (status.code !== 0 && !status.retryable && status.code !== 14)
          this.#refuse(status.message);
        else if (this.#waiting.size > 0) this.#resend();
      },
      onCancel: () => sender.wake(),
      onRoom: () => sender.wake(),
    };
    return sender;
  }

  #refuse(message: string): void {
    for (const id of this.#waiting.keys())
      this.#settle(id)?.reject(
        new FabricError("failed_precondition", message, { reason: "no-log" }),
      );
  }

  #resend(): void {
    const ids = [...this.#waiting.keys()];
    void (async () => {
      for (const id of ids) await this.#send(id);
    })().catch(() => undefined);
  }

  #confirm(receipt: Receipt): void {
    const done = this.#settle(receipt.id);
    if (!("error" in receipt))
      done?.resolve({ sequence: receipt.sequence, duplicate: receipt.duplicate });
    else {
      const { code, message, retryable } = receipt.error;
      done?.reject(new FabricError(code as FabricCode, message, { retryable }));
    }
  }
}
