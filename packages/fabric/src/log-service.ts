// SPDX-License-Identifier: Apache-2.0
// The node's methods for messages that are kept: `$log/publish` answers once a message is on disk, `$log/subscribe` gives
// messages out until they are acknowledged. What keeps them is handed in.
import { Settlement, SubscribeRequest, type Receipt } from "@fairlead/protocol/fabric.ts";
import { findSubjectFault } from "@fairlead/protocol/subjects.ts";
import type { Conversation } from "./conversation.ts";
import { FabricError } from "./errors.ts";
import type { Headers, Hello } from "./frame.ts";
import type { HubMethod } from "./hub.ts";
import { encodeJson, parseJson } from "./json.ts";
import { HEADER } from "./log-headers.ts";

export interface KeptMessage {
  readonly sequence: number;
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly key: string | undefined;
  readonly headers: Headers;
  readonly attempt: number;
  readonly publishedAtMs: number;
}

export interface KeptGroup extends AsyncDisposable {
  take(countMax: number, signal: AbortSignal): Promise<readonly KeptMessage[]>;
  ack(sequence: number): Promise<void>;
  nack(sequence: number, options: { readonly delayMs: number }): Promise<void>;
  reject(sequence: number, reason: string): Promise<void>;
}

/** A durable log: every promise resolves after the commit. */
export interface KeptLog {
  publish(publication: {
    readonly subject: string;
    readonly payload: Uint8Array;
    readonly key?: string;
    readonly id: string;
    readonly headers: Headers;
    readonly atMs: number;
  }): Promise<{ readonly sequence: number; readonly duplicate: boolean }>;
  openGroup(options: {
    readonly name?: string;
    readonly pattern: string;
    readonly from: "now" | "start";
    readonly ackTimeoutMs: number;
    readonly attemptsMax: number;
    readonly inFlightMax: number;
  }): Promise<KeptGroup>;
}

export interface LogServiceOptions {
  readonly log: KeptLog;
  readonly nowMs: () => number;
  /** What the log throws, as an error for the wire. */
  readonly convert: (thrown: unknown) => FabricError;
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

/** Sends items in order, waiting for room. */
class Outlet {
  readonly #conversation: Conversation;
  #room = Promise.withResolvers<void>();

  constructor(conversation: Conversation) {
    this.#conversation = conversation;
  }

  wake(): void {
    this.#room.resolve();
    this.#room = Promise.withResolvers<void>();
  }

  /** False when the conversation is over. */
  async send(payload: Uint8Array, headers?: Headers): Promise<boolean> {
    while (!this.#conversation.over) {
      if (this.#conversation.trySend(payload, headers)) return true;
      await this.#room.promise;
    }
    return false;
  }
}

/** Makes the methods for a hub. */
export function createLogMethods(options: LogServiceOptions): ReadonlyMap<string, HubMethod> {
  const { log } = options;

  async function keep(
    payload: Uint8Array,
    headers: Headers | undefined,
    scope: string,
  ): Promise<Receipt> {
    const { own, rest } = splitHeaders(headers);
    const id = own[HEADER.id] ?? "";
    try {
      const subject = own[HEADER.subject] ?? "";
      const fault = findSubjectFault(subject);
      if (fault !== undefined)
        throw new FabricError("invalid_argument", `"${subject}" is no subject: ${fault}`);
      const key = own[HEADER.key];
      const kept = await log.publish({
        subject: scoped(scope, subject),
        payload: Buffer.from(payload),
        id: `${scope}/${id}`,
        headers: rest,
        atMs: options.nowMs(),
        ...(key === undefined ? {} : { key }),
      });
      return { id, ...kept };
    } catch (thrown) {
      const { code, message, retryable } = options.convert(thrown);
      return { id, error: { code, message, retryable } };
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
        void keep(payload, headers, caller.scope).then(async (receipt) => {
          // Credit comes back with the commit: a publisher is never further ahead of the disk than one window.
          conversation.consumed(payload.length);
          await outlet.send(encodeJson(receipt));
          open--;
          finish();
        });
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
    const request = parseJson(conversation.first, SubscribeRequest);
    const ending = new AbortController();
    const outlet = new Outlet(conversation);
    const stop = (): void => {
      ending.abort();
      outlet.wake();
    };
    const settled: (readonly [Uint8Array])[] = [];
    let settle: (payload: Uint8Array) => void = (payload) => void settled.push([payload]);
    conversation.handlers = {
      onItem(payload) {
        conversation.consumed(payload.length);
        settle(payload);
      },
      onEnd: stop,
      onCancel: stop,
      onRoom: () => outlet.wake(),
    };
    const run = async (): Promise<void> => {
      const { group, pattern, ...rest } = request;
      const opened = await log.openGroup({
        ...rest,
        pattern: scoped(caller.scope, pattern),
        ...(group === undefined ? {} : { name: `${caller.scope}/${group}` }),
      });
      // Says that the subscription stands: what is published from now on reaches it.
      await outlet.send(encodeJson({}));
      const given = new Set<number>();
      const pending = new Set<Promise<void>>();
      settle = (payload) => {
        const work = settleOne(opened, given, parseJson(payload, Settlement)).finally(() =>
          pending.delete(work),
        );
        pending.add(work);
        work.catch((thrown: unknown) => conversation.fail(options.convert(thrown)));
      };
      for (const [payload] of settled.splice(0)) settle(payload);
      try {
        while (!ending.signal.aborted) await deliver(opened, outlet, given, ending.signal);
      } finally {
        await Promise.allSettled(pending);
        // What is with a subscriber that left is given to another at once.
        for (const sequence of given) await opened.nack(sequence, { delayMs: 0 });
        await opened[Symbol.asyncDispose]();
      }
    };
    run().then(
      () => conversation.end(),
      (thrown: unknown) => {
        if (ending.signal.aborted) conversation.end();
        else conversation.fail(options.convert(thrown));
      },
    );
  }

  return new Map([
    ["$log/publish", publish],
    ["$log/subscribe", subscribe],
  ]);
}

async function settleOne(
  group: KeptGroup,
  given: Set<number>,
  settlement: Settlement,
): Promise<void> {
  if ("ack" in settlement) {
    await group.ack(settlement.ack);
    given.delete(settlement.ack);
  } else if ("nack" in settlement) {
    given.delete(settlement.nack);
    await group.nack(settlement.nack, { delayMs: settlement.delayMs });
  } else {
    given.delete(settlement.reject);
    await group.reject(settlement.reject, settlement.reason);
  }
}

async function deliver(
  group: KeptGroup,
  outlet: Outlet,
  given: Set<number>,
  signal: AbortSignal,
): Promise<void> {
  for (const message of await group.take(TAKE_MAX, signal)) {
    given.add(message.sequence);
    await outlet.send(message.payload, {
      ...message.headers,
      [HEADER.subject]: unscoped(message.subject),
      [HEADER.sequence]: String(message.sequence),
      [HEADER.attempt]: String(message.attempt),
      [HEADER.publishedAtMs]: String(message.publishedAtMs),
      ...(message.key === undefined ? {} : { [HEADER.key]: message.key }),
    });
  }
}
