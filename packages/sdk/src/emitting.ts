// SPDX-License-Identifier: Apache-2.0
// Messages straight to those who are there: no node in between, nothing kept. A slow subscriber slows its publishers only.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Headers } from "@fairlead/fabric/frame.ts";
import type { LinkMeter } from "@fairlead/fabric/link-tally.ts";
import { nodeOpen } from "@fairlead/fabric/node-open.ts";
import type { Registry } from "@fairlead/fabric/registry.ts";
import { findSubjectFault } from "@fairlead/protocol/subjects.ts";
import { ItemSender } from "./exchange.ts";
import { Hearers, type Hearer } from "./hearers.ts";
import type { Route, Router } from "./router.ts";

/** The method of a conversation that carries messages of one subject. */
export const EMIT = "$emit";
/** Subjects whose subscribers are remembered; beyond it all are looked up again. */
const SUBJECTS_MAX = 10_000;
/** Conversations that are kept open; beyond it the quarter that was not used for longest is ended. */
const SENDERS_MAX = 2_048;

/** Conversations with one subscriber that were ended while it still handles what came; beyond it a new one waits. */
const ENDING_MAX = 1_024;

/** What may wait for one subscriber, or for subjects whose subscribers are being looked up, and for all: bytes. */
const LANE_WAITING_BYTES_MAX = 8 * 1_048_576;
const WAITING_BYTES_MAX = 8 * LANE_WAITING_BYTES_MAX;
/** What a message that waits costs beyond its bytes: promises and the like. */
const WAITING_COST = 1_024;

/** What goes with a message. */
export interface EmitExtra {
  readonly key?: string | undefined;
  readonly headers?: Headers | undefined;
}

/** A sender to one subscriber, for the messages of one subject. */
interface Lane {
  readonly sender: ItemSender;
  readonly agent: string;
  readonly subject: string;
  /** Name of the neighbour that it leads to, by the topology. */
  readonly via: string;
  readonly meter: LinkMeter | undefined;
  usedAt: number;
  /** What messages cost that found no room yet. */
  waitingBytes: number;
}

/** Those who get the messages of one subject: everyone ungrouped, one of each group. */
interface Plan {
  readonly single: readonly Lane[];
  readonly groups: readonly (readonly Lane[])[];
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

/** Everyone ungrouped, and of each group the member whose turn it is, or whose key it is. */
function chooseLanes(plan: Plan, key: string | undefined): readonly Lane[] {
  const lanes = [...plan.single];
  for (const group of plan.groups) {
    const index = key === undefined ? plan.turn++ : hashKey(key);
    const lane = group[index % group.length];
    if (lane !== undefined) lanes.push(lane);
  }
  return lanes;
}

/** Sends messages directly. */
export class Emitting {
  readonly #options: EmittingOptions;
  readonly #plans = new Map<string, Plan>();
  readonly #building = new Map<string, Promise<Plan>>();
  readonly #hearers: Hearers;
  /** Open lanes by peer, subject and group. */
  readonly #lanes = new Map<string, Lane>();
  /** By agent, lanes whose messages are still being handled: another of the same key waits, so that order is kept. */
  readonly #ending = new Map<string, Map<string, Promise<void>>>();
  /** Counts what happened among the hearers, so that a plan made of older facts is not kept. */
  #changes = 0;
  #time = 0;
  #waitingBytes = 0;
  #laterBytes = 0;

  constructor(options: EmittingOptions) {
    this.#options = options;
    this.#hearers = new Hearers(options.scope, options.directory, () => {
      this.#changes++;
      this.#plans.clear();
    });
    options.router.onRerouted(() => this.#reroute());
  }

  close(): void {
    this.#hearers.close();
    for (const { sender } of this.#lanes.values()) sender.conversation.end();
    this.#lanes.clear();
  }

  /**
   * Sends to all who subscribed. Undefined when it could be sent at once; else a promise that resolves when it has been.
   * Throws `resource_exhausted`, having sent it to nobody, when too much waits already.
   */
  emit(subject: string, payload: Uint8Array, extra: EmitExtra = {}): Promise<void> | undefined {
    const plan = this.#plans.get(subject);
    if (plan === undefined) {
      this.#checkRoom(this.#laterBytes, payload);
      return this.#emitLater(subject, payload, extra);
    }
    const lanes = plan.groups.length === 0 ? plan.single : chooseLanes(plan, extra.key);
    if (this.#waitingBytes > 0)
      for (const { waitingBytes } of lanes) this.#checkRoom(waitingBytes, payload);
    let waiting: Promise<void>[] | undefined;
    this.#time++;
    for (const lane of lanes) {
      const wait = this.#send(lane, payload, extra.headers);
      if (wait !== undefined) (waiting ??= []).push(wait);
    }
    return waiting === undefined ? undefined : Promise.all(waiting).then(() => undefined);
  }

  /** How many get the messages of a subject now: subscribers and groups. */
  async count(subject: string): Promise<number> {
    const plan = this.#plans.get(subject) ?? (await this.#plan(subject));
    return plan.single.length + plan.groups.length;
  }

  #send(lane: Lane, payload: Uint8Array, headers?: Headers): Promise<void> | undefined {
    const { sender, subject } = lane;
    lane.usedAt = this.#time;
    if (!sender.conversation.over) {
      lane.meter?.count();
      if (sender.conversation.trySend(payload, headers)) return undefined;
      return this.#sendLater(lane, payload, headers);
    }
    // The peer is gone: what follows is planned anew. This message is lost to it, as direct messages may be.
    this.#plans.delete(subject);
    return undefined;
  }

  /** Resolves when the peer has room for it, or is gone. */
  async #sendLater(lane: Lane, payload: Uint8Array, headers?: Headers): Promise<void> {
    const cost = payload.length + WAITING_COST;
    lane.waitingBytes += cost;
    this.#waitingBytes += cost;
    await lane.sender.send(payload, headers).catch(() => undefined);
    lane.waitingBytes -= cost;
    this.#waitingBytes -= cost;
  }

  /** Who does not wait for what it emits is told so, before it fills the memory. */
  #checkRoom(waitingBytes: number, payload: Uint8Array): void {
    const cost = payload.length + WAITING_COST;
    const isFull =
      waitingBytes + cost > LANE_WAITING_BYTES_MAX ||
      this.#waitingBytes + this.#laterBytes + cost > WAITING_BYTES_MAX;
    // A message that alone is above the limit may wait, if it is the only one.
    if (!isFull || waitingBytes === 0) return;
    throw new FabricError(
      "resource_exhausted",
      `${waitingBytes} bytes of messages wait to be sent: await what emit returns`,
      { reason: "not-awaited", facts: { waiting: String(this.#waitingBytes + this.#laterBytes) } },
    );
  }

  async #emitLater(subject: string, payload: Uint8Array, extra: EmitExtra): Promise<void> {
    const fault = findSubjectFault(subject);
    if (fault !== undefined)
      throw new FabricError("invalid_argument", `"${subject}" is no subject: ${fault}`);
    const cost = payload.length + WAITING_COST;
    this.#laterBytes += cost;
    try {
      while (!this.#plans.has(subject)) await this.#plan(subject);
    } finally {
      this.#laterBytes -= cost;
    }
    await this.emit(subject, payload, extra);
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
    const single: Promise<Lane | undefined>[] = [];
    const groups = new Map<string, Promise<Lane | undefined>[]>();
    for (const hearer of this.#hearers.match(subject)) {
      const lane = this.#open(hearer, subject);
      if (hearer.group === "") single.push(lane);
      else groups.set(hearer.group, [...(groups.get(hearer.group) ?? []), lane]);
    }
    const keep = async (list: Promise<Lane | undefined>[]): Promise<Lane[]> =>
      (await Promise.all(list)).filter((lane) => lane !== undefined);
    return {
      single: await keep(single),
      groups: await Promise.all([...groups.values()].map(keep)),
      turn: 0,
    };
  }

  /** A lane to one subscriber; undefined when it cannot be reached now. */
  async #open({ agent, group }: Hearer, subject: string): Promise<Lane | undefined> {
    const key = JSON.stringify([agent, subject, group]);
    const known = this.#lanes.get(key);
    if (known !== undefined && !known.sender.conversation.over) return known;
    await this.#awaitEnds(agent, key);
    try {
      const route = await this.#options.router.route({ agent }, undefined);
      route.done("canceled");
      const sender = this.#start(route, { subject, group });
      const { meter, via } = route;
      const lane = {
        sender,
        agent,
        subject,
        via,
        meter,
        usedAt: this.#time,
        waitingBytes: 0,
      };
      this.#lanes.set(key, lane);
      if (this.#lanes.size > SENDERS_MAX) this.#endOldest();
      return lane;
    } catch (thrown) {
      if (thrown instanceof FabricError) return undefined;
      throw thrown;
    }
  }

  /** The topology has changed: what leads along links that are no more is ended, and all is planned anew. */
  #reroute(): void {
    this.#changes++;
    this.#plans.clear();
    for (const [key, lane] of this.#lanes) {
      if (this.#options.router.viaTo(lane.agent) === lane.via) continue;
      this.#lanes.delete(key);
      if (!lane.sender.conversation.over) this.#end(key, lane);
    }
  }

  /** Resolves once the agent is done with what came on the lane before, and has not too many others to end. */
  async #awaitEnds(agent: string, key: string): Promise<void> {
    await this.#ending.get(agent)?.get(key);
    for (;;) {
      const ending = this.#ending.get(agent);
      if (ending === undefined || ending.size < ENDING_MAX) return;
      await Promise.race(ending.values());
    }
  }

  /**
   * Ends the lanes that were not used for longest; the other side ends them too once it has handled all. Those of a plan
   * that is being made stay, however many it needs.
   */
  #endOldest(): void {
    const byUse = [...this.#lanes]
      .filter(([, { subject }]) => !this.#building.has(subject))
      .toSorted(([, one], [, other]) => one.usedAt - other.usedAt);
    for (const [key, lane] of byUse.slice(0, SENDERS_MAX / 4)) {
      this.#lanes.delete(key);
      this.#plans.delete(lane.subject);
      if (!lane.sender.conversation.over) this.#end(key, lane);
    }
  }

  #end(key: string, { agent, sender }: Lane): void {
    const ending = this.#ending.get(agent) ?? new Map<string, Promise<void>>();
    this.#ending.set(agent, ending);
    const { promise, resolve } = Promise.withResolvers<void>();
    ending.set(key, promise);
    const over = (): void => {
      ending.delete(key);
      if (ending.size === 0) this.#ending.delete(agent);
      sender.wake();
      resolve();
    };
    const { conversation } = sender;
    conversation.handlers = { ...conversation.handlers, onEnd: over, onCancel: over };
    conversation.end();
  }

  #start({ link, target, prove }: Route, headers: Headers): ItemSender {
    const conversation: Conversation = link.open(
      { ...nodeOpen(EMIT, true), target, proof: prove(EMIT) },
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
