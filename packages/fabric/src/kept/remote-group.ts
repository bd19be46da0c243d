// SPDX-License-Identifier: Apache-2.0
// A handle on a group of messages that another node keeps.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { encodeJson, parseJson } from "@fairlead/fabric/json.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import { HEADER } from "@fairlead/fabric/log-headers.ts";
import type { KeptMessage } from "@fairlead/fabric/log/message-log.ts";
import { NODE_METHOD } from "@fairlead/fabric/node-door.ts";
import { nodeOpen } from "@fairlead/fabric/node-open.ts";
import { Outlet } from "@fairlead/fabric/outlet.ts";
import type { Settlement } from "@fairlead/protocol/fabric.ts";
import { KeptSay, readKept, type KeptAsk, type KeptRequest } from "./kept-wire.ts";

export interface RemoteGroupListener {
  /** A message is ready there. */
  onReady(): void;
  /** The link broke, or the node refuses: nothing more comes. */
  onOver(): void;
}

interface Taking {
  readonly countMax: number;
  readonly messages: KeptMessage[];
  readonly resolve: (messages: readonly KeptMessage[]) => void;
}

/** Lives as long as its conversation. */
export class RemoteGroup {
  readonly #conversation: Conversation;
  readonly #outlet: Outlet;
  readonly #listener: RemoteGroupListener;
  readonly #opened = Promise.withResolvers<void>();
  readonly #claims: ((kept: readonly number[]) => void)[] = [];
  #taking: Taking | undefined;
  #isReady = false;
  #isOver = false;

  /** Throws what the link does. */
  constructor(link: Link, request: KeptRequest, listener: RemoteGroupListener) {
    this.#listener = listener;
    this.#conversation = link.open(nodeOpen(NODE_METHOD.kept, true), {
      payload: encodeJson(request),
    });
    this.#outlet = new Outlet(this.#conversation);
    this.#conversation.handlers = {
      onItem: (payload, headers = {}) => {
        // No more comes than was wanted, so that taking it from the link at once is bounded.
        this.#conversation.consumed(payload.length);
        if (headers[HEADER.sequence] === undefined) this.#hear(payload);
        else this.#taking?.messages.push(readKept(payload, headers));
      },
      onEnd: () => this.#finish(),
      onCancel: () => this.#finish(),
      onRoom: () => this.#outlet.wake(),
    };
  }

  /** Resolves once the node has the handle, or never will. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  get isReady(): boolean {
    return this.#isReady && this.#taking === undefined;
  }

  /** What is ready there, at most so many; one question at a time. Never rejects. */
  takeNow(countMax: number): Promise<readonly KeptMessage[]> {
    if (this.#isOver || this.#taking !== undefined) return Promise.resolve([]);
    const { promise, resolve } = Promise.withResolvers<readonly KeptMessage[]>();
    this.#taking = { countMax, messages: [], resolve };
    this.#send({ want: countMax });
    return promise;
  }

  /** Those that the node lets this handle keep; none when it is over. */
  claim(sequences: readonly number[]): Promise<readonly number[]> {
    if (this.#isOver) return Promise.resolve([]);
    const { promise, resolve } = Promise.withResolvers<readonly number[]>();
    this.#claims.push(resolve);
    this.#send({ claim: [...sequences] });
    return promise;
  }

  /** False when the node cannot be told. */
  settle(settlement: Settlement): boolean {
    if (!this.#isOver) this.#send(settlement);
    return !this.#isOver;
  }

  /** Gives back what is held; in order it does not count as an attempt. */
  end(inOrder: boolean): void {
    if (this.#isOver) return;
    if (inOrder) this.#conversation.end();
    else this.#conversation.fail(new FabricError("canceled", "the subscriber is gone"));
    this.#finish();
  }

  #send(ask: KeptAsk): void {
    this.#outlet.send(encodeJson(ask)).catch(() => this.#finish());
  }

  #hear(payload: Uint8Array): void {
    const say = parseJson(payload, KeptSay);
    if ("open" in say) this.#opened.resolve();
    else if ("kept" in say) this.#claims.shift()?.(say.kept);
    else if ("ready" in say) {
      this.#isReady = true;
      this.#listener.onReady();
    } else {
      const taking = this.#taking;
      this.#taking = undefined;
      if (taking === undefined) return;
      if (say.given < taking.countMax) this.#isReady = false;
      taking.resolve(taking.messages);
    }
  }

  /** What has come is handed over all the same: it is claimed over the next link. */
  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isReady = false;
    this.#outlet.wake();
    this.#opened.resolve();
    this.#taking?.resolve(this.#taking.messages);
    this.#taking = undefined;
    for (const resolve of this.#claims.splice(0)) resolve([]);
    this.#listener.onOver();
  }
}
