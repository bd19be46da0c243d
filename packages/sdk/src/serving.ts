// SPDX-License-Identifier: Apache-2.0
// What this agent answers: methods by name, with a bound on how many run at once and how many wait.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Headers } from "@fairlead/fabric/frame.ts";
import { decodeJson, encodeJson } from "@fairlead/fabric/json.ts";
import type { Caller } from "./credentials.ts";
import { ItemSender } from "./exchange.ts";
import type { Log } from "./log.ts";

/** What a handler knows of the call that it answers. */
export interface CallContext {
  readonly caller: Caller;
  /** Writes lines that say which method was answered for whom. */
  readonly log: Log;
  /** Aborts when the caller gives up, is gone, or its deadline has passed. */
  readonly signal: AbortSignal;
  /** What came with the call, e.g. `traceparent`. */
  readonly headers: Headers;
  /** Milliseconds that the caller waited for at most, from when it asked; undefined without a deadline. */
  readonly deadlineMs: number | undefined;
}

/** A method as it is served: input as JSON value, output as JSON value or items. */
export type ServedMethod =
  | {
      readonly kind: "rpc";
      readonly answer: (input: unknown, context: CallContext) => Promise<unknown>;
    }
  | {
      readonly kind: "stream";
      readonly answer: (input: unknown, context: CallContext) => AsyncIterable<unknown>;
    };

/** Calls that may wait for their turn, for each contract. */
const WAITING_MAX = 1_000;

/** Lets at most so many run at once. */
export class Turnstile {
  readonly #runningMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #idle: (() => void)[] = [];

  constructor(runningMax: number) {
    this.#runningMax = runningMax;
  }

  get load(): number {
    return (this.#running + this.#waiting.length) / this.#runningMax;
  }

  /** Runs `work` when it is its turn. Throws `resource_exhausted` when too many wait. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#runningMax) {
      if (this.#waiting.length >= WAITING_MAX)
        throw new FabricError("resource_exhausted", `${WAITING_MAX} calls are waiting already`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next !== undefined) next();
      else if (--this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  /** Resolves once nothing runs. */
  async settle(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }
}

async function sendItems(
  items: AsyncIterable<unknown>,
  sender: ItemSender,
  signal: AbortSignal,
): Promise<void> {
  for await (const item of items) {
    if (signal.aborted) return;
    await sender.send(encodeJson(item));
  }
}

/** Answers one conversation. */
export async function answerConversation(
  conversation: Conversation,
  method: ServedMethod,
  turnstile: Turnstile,
  known: Pick<CallContext, "caller" | "log">,
): Promise<void> {
  const abort = new AbortController();
  const sender = new ItemSender(conversation);
  const { deadlineMs } = conversation.open;
  const timer =
    deadlineMs === 0
      ? undefined
      : setTimeout(() => {
          const error = new FabricError("deadline_exceeded", `no answer within ${deadlineMs} ms`);
          abort.abort(error);
          conversation.fail(error);
          sender.wake();
        }, deadlineMs);
  conversation.handlers = {
    onItem: (payload) => conversation.consumed(payload.length),
    onEnd: () => undefined,
    onCancel(error) {
      abort.abort(error);
      sender.wake();
    },
    onRoom: () => sender.wake(),
  };
  const context: CallContext = {
    ...known,
    signal: abort.signal,
    headers: conversation.headers ?? {},
    deadlineMs: deadlineMs === 0 ? undefined : deadlineMs,
  };
  try {
    await turnstile.run(async () => {
      if (abort.signal.aborted) return;
      const input = decodeJson(conversation.first);
      if (method.kind === "rpc") conversation.end(encodeJson(await method.answer(input, context)));
      else {
        await sendItems(method.answer(input, context), sender, abort.signal);
        conversation.end();
      }
    });
  } catch (thrown) {
    conversation.fail(FabricError.from(thrown, "unknown"));
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves when the work is done, at the latest after `timeoutMs`. */
export async function settleWithin(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  const timer = Promise.withResolvers<void>();
  const timeout = setTimeout(timer.resolve, timeoutMs);
  await Promise.race([work, timer.promise]);
  clearTimeout(timeout);
}
