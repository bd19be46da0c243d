// SPDX-License-Identifier: Apache-2.0
// Gives messages that this node keeps to subscribers of another one: as many as that says it has hands for, never more.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { encodeJson, parseJson } from "@fairlead/fabric/json.ts";
import type { Group, KeptMessage, MessageLog } from "@fairlead/fabric/log/message-log.ts";
import { settleKept } from "@fairlead/fabric/log/settle-kept.ts";
import type { NodeMethod } from "@fairlead/fabric/node-door.ts";
import { Outlet } from "@fairlead/fabric/outlet.ts";
import { describeKept, KeptAsk, KeptRequest } from "./kept-wire.ts";

export interface KeptDoorOptions {
  /** What this node keeps, and nothing of what others do. */
  readonly log: Pick<MessageLog, "openGroup">;
  /** What the log throws, as an error for the wire. */
  readonly convert: (thrown: unknown) => FabricError;
}

/** Makes the method for other nodes. */
export function createKeptDoor({ log, convert }: KeptDoorOptions): NodeMethod {
  return (conversation) => {
    const { name, ...rest } = parseJson(conversation.first, KeptRequest);
    const giving = new Giving(conversation, convert);
    void giving.run(log.openGroup({ ...rest, ...(name === undefined ? {} : { name }) }));
  };
}

/** One handle of another node. What it has not settled counts as an attempt unless it ends in order. */
class Giving {
  readonly #conversation: Conversation;
  readonly #convert: KeptDoorOptions["convert"];
  readonly #outlet: Outlet;
  readonly #ending = new AbortController();
  readonly #over = Promise.withResolvers<void>();
  readonly #settling = new Set<Promise<void>>();
  readonly #early: Uint8Array[] = [];
  /** Wants and claims, one after the other. */
  #turn: Promise<void> = Promise.resolve();
  #group: Group | undefined;
  #broken = false;

  constructor(conversation: Conversation, convert: KeptDoorOptions["convert"]) {
    this.#conversation = conversation;
    this.#convert = convert;
    this.#outlet = new Outlet(conversation);
    conversation.handlers = {
      onItem: (payload) => {
        conversation.consumed(payload.length);
        if (this.#group === undefined) this.#early.push(payload);
        else this.#answer(this.#group, payload);
      },
      onEnd: () => this.#stop(false),
      onCancel: () => this.#stop(true),
      onRoom: () => this.#outlet.wake(),
    };
  }

  #stop(broken: boolean): void {
    this.#broken ||= broken;
    this.#ending.abort();
    this.#over.resolve();
    this.#outlet.wake();
  }

  /** Answers until the other end is done; never rejects. */
  async run(opening: Promise<Group>): Promise<void> {
    try {
      const group = await opening;
      try {
        await this.#outlet.send(encodeJson({ open: true }));
        this.#group = group;
        this.#watch(group);
        for (const payload of this.#early.splice(0)) this.#answer(group, payload);
        await this.#over.promise;
      } finally {
        await Promise.allSettled([this.#turn, ...this.#settling]);
        if (!this.#broken) await group.release();
        await group[Symbol.asyncDispose]();
      }
      this.#conversation.end();
    } catch (thrown) {
      this.#conversation.fail(this.#convert(thrown));
    }
  }

  /** Says once that a message is ready. */
  #watch(group: Group): void {
    group.awaitReady(this.#ending.signal).then(
      () => this.#outlet.send(encodeJson({ ready: true })),
      (thrown: unknown) => this.#fail(thrown),
    );
  }

  #answer(group: Group, payload: Uint8Array): void {
    try {
      const ask = parseJson(payload, KeptAsk);
      if ("want" in ask) this.#queue(() => this.#give(group, ask.want));
      else if ("claim" in ask) this.#queue(() => this.#claim(group, ask.claim));
      else {
        const work = settleKept(group, ask);
        this.#settling.add(work);
        work
          .catch((thrown: unknown) => this.#fail(thrown))
          .finally(() => this.#settling.delete(work));
      }
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #queue(work: () => Promise<void>): void {
    this.#turn = this.#turn.then(work).catch((thrown: unknown) => this.#fail(thrown));
  }

  async #give(group: Group, countMax: number): Promise<void> {
    const messages = await group.takeNow(countMax);
    let given = 0;
    for (const message of messages) if (await this.#send(group, message)) given++;
    await this.#outlet.send(encodeJson({ given }));
    if (given < countMax && !this.#ending.signal.aborted) this.#watch(group);
  }

  /** False for what the other end can never take: it is a dead letter, not the end of all that waits behind it. */
  async #send(group: Group, message: KeptMessage): Promise<boolean> {
    try {
      return await this.#outlet.send(message.payload, describeKept(message));
    } catch (thrown) {
      const error = FabricError.from(thrown);
      if (error.code !== "invalid_argument") throw error;
      await group.reject(message.sequence, error.message);
      return false;
    }
  }

  async #claim(group: Group, sequences: readonly number[]): Promise<void> {
    const kept = await group.claim(sequences);
    await this.#outlet.send(encodeJson({ kept }));
  }

  #fail(thrown: unknown): void {
    if (this.#ending.signal.aborted) return;
    this.#conversation.fail(this.#convert(thrown));
    this.#stop(true);
  }
}
