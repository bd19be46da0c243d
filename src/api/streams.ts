// SPDX-License-Identifier: Apache-2.0
// Long answers: server-sent events and JSON lines, counted, bounded and closed with the API.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { ApiContext } from "./channel.ts";
import { apiErrors } from "./errors.ts";
import { createOutlet, type Outlet } from "./outlet.ts";
import { convertThrown, createProblem } from "./problems.ts";
import type { ApiLimits } from "./settings.ts";

/** One message: data that JSON can say, with an id where the stream can be resumed. */
export interface Message {
  readonly id?: string;
  readonly data: unknown;
}

/** How messages are written. */
export type Framing = "events" | "lines";

export interface StreamOptions {
  /** Name of the messages as server-sent events. */
  readonly name: string;
  /**
   * wait: the source is read as fast as the client reads. drop: the source is always read, and a client
   * that falls `streamBytesMax` behind gets `lagged` and is closed.
   */
  readonly slowClient: "wait" | "drop";
  /** Stops the source; called once, when the stream ends for whatever reason. */
  readonly stop: () => void;
}

/** Opens streams within the limits. */
export interface Streams {
  readonly open: number;
  /**
   * Answers with what `source` yields. An error in the first 250 ms is an answer of its own;
   * a later one is the last message, `problem`. Throws FL0517.
   */
  respond(c: ApiContext, source: AsyncIterable<Message>, options: StreamOptions): Promise<Response>;
}

const encoder = new TextEncoder();
const FIRST_WAIT_MS = 250;
/** How long a client that fell behind may take to read that it did. */
const LAGGED_GRACE_MS = 5_000;
const CONTENT_TYPE = { events: "text/event-stream", lines: "application/x-ndjson" } as const;

/** Server-sent events when asked for, else JSON lines. */
function chooseFraming(accept: string | undefined): Framing {
  return accept?.includes(CONTENT_TYPE.events) === true ? "events" : "lines";
}

function frame(framing: Framing, name: string, message: Message): Uint8Array {
  if (framing === "lines") {
    const line = message.id === undefined ? message.data : { id: message.id, event: message.data };
    return encoder.encode(`${JSON.stringify(line)}\n`);
  }
  const id = message.id === undefined ? "" : `id: ${message.id.replaceAll(/[\r\n\0]/g, "")}\n`;
  return encoder.encode(`${id}event: ${name}\ndata: ${JSON.stringify(message.data)}\n\n`);
}

function frameProblem(framing: Framing, thrown: unknown): Uint8Array {
  const problem = createProblem(convertThrown(thrown));
  return frame(framing, "problem", { data: framing === "lines" ? { problem } : problem });
}

/** JSON lines have no comments; a program that reads them notices a dead node by the connection. */
async function beat(
  outlet: Outlet,
  { beatMs, clock, signal }: { beatMs: number; clock: Clock; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    outlet.beat(frame("events", "beat", { data: { atMs: clock.nowMs() } }));
    await clock.sleep(beatMs, signal);
  }
}

async function pump(
  outlet: Outlet,
  first: Promise<IteratorResult<Message>>,
  iterator: AsyncIterator<Message>,
  format: (message: Message) => Uint8Array,
): Promise<void> {
  let result = await first;
  while (result.done !== true) {
    if (!(await outlet.push(format(result.value)))) return;
    result = await iterator.next();
  }
  outlet.finish();
}

/** Waits for a first message or a failure, but not for long: a quiet stream is a good stream. */
async function awaitFirst(
  first: Promise<unknown>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const done = new AbortController();
  try {
    await Promise.race([first, clock.sleep(FIRST_WAIT_MS, AbortSignal.any([signal, done.signal]))]);
  } finally {
    done.abort();
  }
}

/** Streams of one API; they end when `closing` aborts. */
export function createStreams(limits: ApiLimits, clock: Clock, closing: AbortSignal): Streams {
  let open = 0;

  function start(c: ApiContext, iterator: AsyncIterator<Message>, options: StreamOptions) {
    const framing = chooseFraming(c.req.header("accept"));
    const ended = new AbortController();
    const lagged = frame(framing, options.name, {
      id: "",
      data: { kind: "lagged", atMs: clock.nowMs() },
    });
    function end(): void {
      if (ended.signal.aborted) return;
      open--;
      ended.abort();
      closing.removeEventListener("abort", finish);
      options.stop();
      void iterator.return?.().catch(() => undefined);
    }
    async function hangUp(): Promise<void> {
      await clock.sleep(LAGGED_GRACE_MS, ended.signal);
      c.env.outgoing.destroy();
      end();
    }
    const outlet = createOutlet({
      sizeBytesMax: limits.streamBytesMax,
      ...(options.slowClient === "drop" ? { lagged } : {}),
      onLagged: () => void hangUp().catch(() => undefined),
      onClose: end,
    });
    function finish(): void {
      outlet.finish();
    }
    closing.addEventListener("abort", finish);
    open++;
    return { outlet, framing, end, ended: ended.signal };
  }

  return {
    get open() {
      return open;
    },
    async respond(c, source, options) {
      if (open >= limits.streamsMax) {
        options.stop();
        throw new FairleadError(apiErrors["too-many-streams"], `${open} streams are open`);
      }
      const iterator = source[Symbol.asyncIterator]();
      const { outlet, framing, end, ended } = start(c, iterator, options);
      const first = iterator.next();
      first.catch(() => undefined);
      try {
        await awaitFirst(first, clock, c.req.raw.signal);
      } catch (thrown) {
        end();
        throw thrown;
      }
      c.req.raw.signal.addEventListener("abort", end);
      const format = (message: Message) => frame(framing, options.name, message);
      void pump(outlet, first, iterator, format).catch((thrown: unknown) => {
        outlet.finish(frameProblem(framing, thrown));
      });
      if (framing === "events") {
        void beat(outlet, { beatMs: limits.beatMs, clock, signal: ended }).catch(() => undefined);
      }
      return new Response(outlet.body, { headers: { "content-type": CONTENT_TYPE[framing] } });
    },
  };
}
