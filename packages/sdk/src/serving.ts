// SPDX-License-Identifier: Apache-2.0
// What this agent answers: methods by name, each call when its turn comes.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Headers } from "@fairlead/fabric/frame.ts";
import { decodeJson, encodeJson } from "@fairlead/fabric/json.ts";
import type { Caller } from "./credentials.ts";
import { ItemSender } from "./exchange.ts";
import type { Log } from "./log.ts";
import { Slice } from "./slice.ts";
import type { Turnstile } from "./turnstile.ts";

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

async function sendItems(
  items: AsyncIterable<unknown>,
  sender: ItemSender,
  signal: AbortSignal,
): Promise<void> {
  const slice = new Slice();
  for await (const item of items) {
    const pause = slice.pause();
    if (pause !== undefined) await pause;
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
  // A timer of a loop that is busy comes late: the turn looks at the clock itself.
  const endMs = deadlineMs === 0 ? Infinity : turnstile.nowMs() + deadlineMs;
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
    await turnstile.run(
      async () => {
        if (abort.signal.aborted) return;
        const input = decodeJson(conversation.first);
        if (method.kind === "rpc")
          conversation.end(encodeJson(await method.answer(input, context)));
        else {
          await sendItems(method.answer(input, context), sender, abort.signal);
          conversation.end();
        }
      },
      { endMs, signal: abort.signal },
    );
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
