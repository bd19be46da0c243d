// SPDX-License-Identifier: Apache-2.0
// Messages straight to those who are there: no node in between, nothing kept. A slow subscriber slows its publishers only.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Headers } from "@fairlead/fabric/frame.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import type { Registry } from "@fairlead/fabric/registry.ts";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import { matchSubject } from "@fairlead/protocol/subjects.ts";
import { ItemSender } from "./exchange.ts";
import { nodeMethod } from "./node-session.ts";
import type { Router } from "./router.ts";

/** The method of a conversation that carries messages of one subject. */
export const EMIT = "$emit";
/** Subjects whose subscribers are remembered; beyond it all are looked up again. */
const SUBJECTS_MAX = 10_000;

/** Those who get the messages of one subject: everyone ungrouped, one of each group. */
interface Plan {
  readonly single: readonly ItemSender[];
  readonly groups: readonly (readonly ItemSender[])[];
  turn: number;
}

export interface EmittingOptions {
  readonly scope: string;
  readonly directory: Registry;
  readonly router: Router;
}

/** FNV-1a, to give one key to one member of a group. */
function hashKey(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++)
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

/** Sends messages directly. */
export class Emitting {
  readonly #options: EmittingOptions;
  readonly #plans = new Map<string, Plan>();
  readonly #building = new Map<string, Promise<Plan>>();
  /** Open senders by peer, subject and group. */
  readonly #senders = new Map<string, ItemSender>();
  readonly #stop: () => void;
  /** Counts what happened in the registry, so that a plan made of older facts is not kept. */
  #changes = 0;

  constructor(options: EmittingOptions) {
    this.#options = options;
    this.#stop = options.directory.watch(() => {
      this.#changes++;
      this.#plans.clear();
    });
  }

  close(): void {
    this.#stop();
    for (const { conversation } of this.#senders.values()) conversation.end();
    this.#senders.clear();
  }

  /** Sends to all who subscribed. Undefined when it could be sent at once; else a promise that resolves when it has been. */
  emit(subject: string, payload: Uint8Array, key?: string): Promise<void> | undefined {
    const plan = this.#plans.get(subject);
    if (plan === undefined) return this.#emitLater(subject, payload, key);
    let waiting: Promise<void>[] | undefined;
    for (const sender of plan.single) {
      const wait = this.#send(subject, sender, payload);
      if (wait !== undefined) (waiting ??= []).push(wait);
    }
    for (const group of plan.groups) {
      const index = key === undefined ? plan.turn++ : hashKey(key);
      const sender = group[index % group.length];
      const wait = sender === undefined ? undefined : this.#send(subject, sender, payload);
      if (wait !== undefined) (waiting ??= []).push(wait);
    }
    return waiting === undefined ? undefined : Promise.all(waiting).then(() => undefined);
  }

  /** How many get the messages of a subject now: subscribers and groups. */
  async count(subject: string): Promise<number> {
    const plan = this.#plans.get(subject) ?? (await this.#plan(subject));
    return plan.single.length + plan.groups.length;
  }

  #send(subject: string, sender: ItemSender, payload: Uint8Array): Promise<void> | undefined {
    const { conversation } = sender;
    if (!conversation.over) {
      if (conversation.trySend(payload)) return undefined;
      return sender.send(payload).catch(() => undefined);
    }
    // The peer is gone: what follows is planned anew. This message is lost to it, as direct messages may be.
    this.#plans.delete(subject);
    return undefined;
  }

  async #emitLater(subject: string, payload: Uint8Array, key?: string): Promise<void> {
    while (!this.#plans.has(subject)) await this.#plan(subject);
    await this.emit(subject, payload, key);
  }

  async #plan(subject: string): Promise<Plan> {
    const changes = this.#changes;
    const known = this.#building.get(subject) ?? this.#build(subject);
    this.#building.set(subject, known);
    try {
      const plan = await known;
      if (this.#plans.size >= SUBJECTS_MAX) this.#plans.clear();
      if (changes === this.#changes) this.#plans.set(subject, plan);
      return plan;
    } finally {
      this.#building.delete(subject);
    }
  }

  async #build(subject: string): Promise<Plan> {
    const single: Promise<ItemSender | undefined>[] = [];
    const groups = new Map<string, Promise<ItemSender | undefined>[]>();
    for (const record of this.#options.directory.list({ scope: this.#options.scope })) {
      const seen = new Set<string>();
      for (const { pattern, group = "", durable } of record.subscriptions) {
        if (durable || seen.has(group) || !matchSubject(pattern, subject)) continue;
        seen.add(group);
        const sender = this.#open(record, subject, group);
        if (group === "") single.push(sender);
        else groups.set(group, [...(groups.get(group) ?? []), sender]);
      }
    }
    const keep = async (list: Promise<ItemSender | undefined>[]): Promise<ItemSender[]> =>
      (await Promise.all(list)).filter((sender) => sender !== undefined);
    return {
      single: await keep(single),
      groups: await Promise.all([...groups.values()].map(keep)),
      turn: 0,
    };
  }

  /** A sender to one subscriber; undefined when it cannot be reached now. */
  async #open(
    record: AgentRecord,
    subject: string,
    group: string,
  ): Promise<ItemSender | undefined> {
    const key = JSON.stringify([record.id, subject, group]);
    const known = this.#senders.get(key);
    if (known !== undefined && !known.conversation.over) return known;
    try {
      const route = await this.#options.router.route({ agent: record.id }, undefined);
      route.done("canceled");
      const sender = this.#start(route.link, route.target, { subject, group });
      this.#senders.set(key, sender);
      return sender;
    } catch (thrown) {
      if (thrown instanceof FabricError) return undefined;
      throw thrown;
    }
  }

  #start(link: Link, target: string, headers: Headers): ItemSender {
    const conversation: Conversation = link.open(
      { ...nodeMethod(EMIT, true), target },
      { headers },
    );
    const sender = new ItemSender(conversation);
    conversation.handlers = {
      onItem: (payload) => conversation.consumed(payload.length),
      onEnd: () => sender.wake(),
      onCancel: () => sender.wake(),
      onRoom: () => sender.wake(),
    };
    return sender;
  }
}
