// SPDX-License-Identifier: Apache-2.0
// The node's methods for messages that are kept: `$log/publish` answers once a message is on disk, `$log/subscribe` gives
// messages out until they are acknowledged. What keeps them is handed in.
import { Settlement, SubscribeRequest, type Receipt } from "@fairlead/protocol/fabric.ts";
import { findSubjectFault } from "@fairlead/protocol/subjects.ts";
import { checkSubscription, type AgentRights, type HearingRights } from "./agent-rights.ts";
import type { Conversation } from "./conversation.ts";
import { FabricError } from "./errors.ts";
import type { Headers, Hello } from "./frame.ts";
import type { HubMethod } from "./hub.ts";
import { encodeJson, parseJson } from "./json.ts";
import { checkKept, HEADER } from "./log-headers.ts";
import type { Group, KeptMessage, MessageLog } from "./log/message-log.ts";
import { settleKept } from "./log/settle-kept.ts";
import { Outlet } from "./outlet.ts";

export interface LogServiceOptions {
  readonly log: MessageLog;
  readonly nowMs: () => number;
  /** What the log throws, as an error for the wire. */
  readonly convert: (thrown: unknown) => FabricError;
  /** What agents may publish and subscribe; everything by default. */
  readonly rights?: AgentRights;
}

const TAKE_MAX = 64;

/** Scopes share one log and see nothing of each other: their name is the first word of the subject. */
function scoped(scope: string, subject: string): string {
  return `${scope.replaceAll("%", "%25").replaceAll(".", "%2E")}.${subject}`;
}

function unscoped(subject: string): string {
  return subject.slice(subject.indexOf(".") + 1);
}

function splitHeaders(headers: Headers | undefined): {
  readonly own: Record<string, string>;
  readonly rest: Record<string, string>;
} {
  const own: Record<string, string> = {};
  const rest: Record<string, string> = {};
  for (const [key, value] of Object.entries(headers ?? {}))
    (key.startsWith("$") ? own : rest)[key] = value;
  return { own, rest };
}

/** Makes the methods for a hub. */
export function createLogMethods(options: LogServiceOptions): ReadonlyMap<string, HubMethod> {
  const { log, rights } = options;

  async function keep(
    payload: Uint8Array,
    headers: Headers | undefined,
    { scope, name }: Hello,
  ): Promise<Receipt> {
    const { own, rest } = splitHeaders(headers);
    const id = own[HEADER.id] ?? "";
    try {
      const subject = own[HEADER.subject] ?? "";
      const fault = findSubjectFault(subject);
      if (fault !== undefined)
        throw new FabricError("invalid_argument", `"${subject}" is no subject: ${fault}`);
      rights?.check({ scope, caller: name, action: "publish", target: subject, method: "" });
      const key = own[HEADER.key];
      checkKept(rest, key, id);
      const kept = await log.publish({
        subject: scoped(scope, subject),
        payload: Buffer.from(payload),
        id: `${scope}/${id}`,
        // Who sent it is who the link belongs to, whatever the sender says.
        headers: { ...rest, [HEADER.from]: name },
        atMs: options.nowMs(),
        ...(key === undefined ? {} : { key }),
      });
      return { id, ...kept };
    } catch (thrown) {
      const { code, message, retryable, reason } = options.convert(thrown);
      const refused = code === "permission_denied" ? { reason } : {};
      return { id, error: { code, message, retryable, ...refused } };
    }
  }

  function publish(conversation: Conversation, caller: Hello): void {
    const outlet = new Outlet(conversation);
    let open = 0;
    let ended = false;
    const finish = (): void => {
      if (ended && open === 0) conversation.end();
    };
    conversation.handlers = {
      onItem(payload, headers) {
        open++;
        keep(payload, headers, caller)
          .then(async (receipt) => {
            // Credit comes back with the commit: a publisher is never further ahead of the disk than one window.
            conversation.consumed(payload.length);
            await outlet.send(encodeJson(receipt));
            open--;
            finish();
          })
          // A publisher that takes no receipt, because its limit is too low for one, is not served.
          .catch((thrown: unknown) => conversation.fail(FabricError.from(thrown, "internal")));
      },
      onEnd() {
        ended = true;
        finish();
      },
      onCancel: () => outlet.wake(),
      onRoom: () => outlet.wake(),
    };
  }

  function subscribe(conversation: Conversation, caller: Hello): void {
    const {
      group,
      pattern,
      holding = [],
      ...rest
    } = parseJson(conversation.first, SubscribeRequest);
    const hearing = checkSubscription(rights, caller, pattern);
    const rules = { hearing, isShared: group !== undefined };
    const subscription = new Subscription(conversation, options.convert, rules);
    const opening = log.openGroup({
      ...rest,
      pattern: scoped(caller.scope, pattern),
      ...(group === undefined ? {} : { name: `${caller.scope}/${group}` }),
    });
    void subscription.run(opening, holding);
  }

  return new Map([
    ["$log/publish", publish],
    ["$log/subscribe", subscribe],
  ]);
}

/** What a subscriber may hear, and whether it shares its messages with others. */
interface HearingRules {
  readonly hearing: HearingRights;
  readonly isShared: boolean;
}

/**
 * One subscriber. It is given at most as many messages as it says that it handles at once. When it ends in order, what it
 * has not settled was not begun and does not count as an attempt; when its link breaks it does, for the message may be why.
 */
class Subscription {
  readonly #conversation: Conversation;
  readonly #convert: LogServiceOptions["convert"];
  readonly #rules: HearingRules;
  readonly #outlet: Outlet;
  readonly #ending = new AbortController();
  readonly #settling = new Set<Promise<void>>();
  readonly #early: Uint8Array[] = [];
  #group: Group | undefined;
  #broken = false;

  constructor(
    conversation: Conversation,
    convert: LogServiceOptions["convert"],
    rules: HearingRules,
  ) {
    this.#conversation = conversation;
    this.#convert = convert;
    this.#rules = rules;
    this.#outlet = new Outlet(conversation);
    const stop = (broken: boolean): void => {
      this.#broken ||= broken;
      this.#ending.abort();
      this.#outlet.wake();
    };
    conversation.handlers = {
      onItem: (payload) => {
        conversation.consumed(payload.length);
        if (this.#group === undefined) this.#early.push(payload);
        else this.#settle(this.#group, payload);
      },
      onEnd: () => stop(false),
      onCancel: () => stop(true),
      onRoom: () => this.#outlet.wake(),
    };
  }

  /** Gives messages out until the subscriber ends; never rejects. */
  async run(opening: Promise<Group>, holding: readonly number[]): Promise<void> {
    try {
      const group = await opening;
      try {
        await this.#deliver(group, holding);
      } finally {
        await Promise.allSettled(this.#settling);
        if (!this.#broken) await group.release();
        await group[Symbol.asyncDispose]();
      }
      this.#conversation.end();
    } catch (thrown) {
      if (this.#ending.signal.aborted) this.#conversation.end();
      else this.#conversation.fail(this.#convert(thrown));
    }
  }

  async #deliver(group: Group, holding: readonly number[]): Promise<void> {
    const { signal } = this.#ending;
    const kept = holding.length === 0 ? [] : await group.claim(holding);
    // Says that the subscription stands: what is published from now on reaches it.
    await this.#outlet.send(encodeJson({ kept }));
    this.#group = group;
    for (const payload of this.#early.splice(0)) this.#settle(group, payload);
    while (!signal.aborted) {
      const taking = group.take(TAKE_MAX, signal);
      const messages = await taking.catch((thrown: unknown) => {
        if (signal.aborted) return [];
        throw thrown;
      });
      for (const message of messages) await this.#send(group, message);
    }
  }

  /** What this subscriber can never take is a dead letter, not the end of all that waits behind it. */
  async #send(group: Group, message: KeptMessage): Promise<void> {
    const { hearing, isShared } = this.#rules;
    if (!hearing.mayHear(unscoped(message.subject))) {
      const { sequence } = message;
      // What others of the group might have had is kept as a dead letter; who is alone passes it by.
      const reason = "a policy forbids its subscriber this subject";
      return isShared ? group.reject(sequence, reason) : group.ack(sequence);
    }
    try {
      await this.#outlet.send(message.payload, describe(message));
    } catch (thrown) {
      const error = FabricError.from(thrown);
      if (error.code !== "invalid_argument") throw error;
      await group.reject(message.sequence, error.message);
    }
  }

  #settle(group: Group, payload: Uint8Array): void {
    try {
      const work = settleKept(group, parseJson(payload, Settlement));
      this.#settling.add(work);
      work
        .finally(() => this.#settling.delete(work))
        .catch((thrown: unknown) => this.#fail(this.#convert(thrown)));
    } catch (thrown) {
      this.#fail(FabricError.from(thrown, "invalid_argument"));
    }
  }

  /** What fails here is told to nobody at this end: the group has to be given back all the same. */
  #fail(error: FabricError): void {
    this.#conversation.fail(error);
    this.#broken = true;
    this.#ending.abort();
  }
}

/** What travels with a message beside its payload. */
function describe(message: KeptMessage): Headers {
  return {
    ...message.headers,
    [HEADER.subject]: unscoped(message.subject),
    [HEADER.sequence]: String(message.sequence),
    [HEADER.attempt]: String(message.attempt),
    [HEADER.publishedAtMs]: String(message.publishedAtMs),
    ...(message.key === undefined ? {} : { [HEADER.key]: message.key }),
  };
}
