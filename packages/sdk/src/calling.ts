// SPDX-License-Identifier: Apache-2.0
// Calls and streams from this agent: route, ask, and try elsewhere when that is safe.
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Headers, Open } from "@fairlead/fabric/frame.ts";
import { toMs, type Duration } from "./duration.ts";
import { callOnce, streamOnce } from "./exchange.ts";
import type { Route, Router, Target } from "./router.ts";

export interface CallOptions {
  /** How long to wait for the answer; 30 s by default. For a stream: for its end, none by default. */
  readonly timeout?: Duration;
  readonly signal?: AbortSignal;
  readonly headers?: Headers;
}

export interface Request {
  readonly target: Target;
  readonly method: string;
  readonly payload: Uint8Array;
  readonly idempotent: boolean;
  readonly options: CallOptions;
}

const TIMEOUT_MS = 30_000;
const ATTEMPTS_MAX = 3;
const PAUSE_MS = 20;
/** Repeated calls may add this share to the calls made, and this many a moment ago, so that a failing service is not buried. */
const RETRY_SHARE = 0.2;
const RETRIES_SPARE = 10;

export interface CallingOptions {
  readonly router: Router;
  readonly random: () => number;
  /** Adds what a tracer wants to send along. */
  readonly inject: (headers: Headers | undefined) => Headers | undefined;
}

/** Asks others. */
export class Calling {
  readonly #options: CallingOptions;
  #retryTokens = RETRIES_SPARE;

  constructor(options: CallingOptions) {
    this.#options = options;
  }

  /** The answer's bytes; undefined when it is empty. Rejects with a FabricError. */
  async call(request: Request): Promise<Uint8Array | undefined> {
    const { options } = request;
    const timeoutMs = toMs(options.timeout ?? TIMEOUT_MS);
    const endMs = performance.now() + timeoutMs;
    const deadline = new AbortController();
    const timer = setTimeout(
      () =>
        deadline.abort(new FabricError("deadline_exceeded", `no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const signal =
      options.signal === undefined
        ? deadline.signal
        : AbortSignal.any([options.signal, deadline.signal]);
    this.#retryTokens = Math.min(RETRIES_SPARE, this.#retryTokens + RETRY_SHARE);
    const avoid = new Set<string>();
    try {
      for (let attempt = 1; ; attempt++) {
        const failed = await this.#attempt(request, signal, endMs, avoid);
        if (!("error" in failed)) return failed.answer;
        if (!this.#mayRetry(request, failed.error, attempt, failed.sent, signal))
          throw failed.error;
        await new Promise((resolve) =>
          setTimeout(resolve, PAUSE_MS * 2 ** (attempt - 1) * this.#options.random()),
        );
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Items' bytes. Never tried again: nobody knows what the first attempt did. */
  async *stream(request: Request): AsyncGenerator<Uint8Array> {
    const { options } = request;
    const timeoutMs = options.timeout === undefined ? 0 : toMs(options.timeout);
    const signals = [
      ...(options.signal === undefined ? [] : [options.signal]),
      ...(timeoutMs === 0 ? [] : [AbortSignal.timeout(timeoutMs)]),
    ];
    const signal = signals.length === 0 ? undefined : AbortSignal.any(signals);
    const route = await this.#options.router.route(request.target, signal);
    let failed = true;
    try {
      yield* streamOnce(
        route.link,
        makeOpen(request, route, timeoutMs),
        this.#extra(request, signal),
      );
      failed = false;
    } finally {
      route.done(failed && signal?.aborted !== true);
    }
  }

  async #attempt(
    request: Request,
    signal: AbortSignal,
    endMs: number,
    avoid: Set<string>,
  ): Promise<
    | { readonly answer: Uint8Array | undefined }
    | { readonly error: FabricError; readonly sent: boolean }
  > {
    let route: Route | undefined;
    try {
      signal.throwIfAborted();
      route = await this.#options.router.route(request.target, signal, avoid);
      const leftMs = Math.max(1, Math.ceil(endMs - performance.now()));
      const answer = await callOnce(
        route.link,
        makeOpen(request, route, leftMs),
        this.#extra(request, signal),
      );
      route.done(false);
      return { answer };
    } catch (thrown) {
      const error = FabricError.from(thrown);
      route?.done(error.retryable);
      if (route !== undefined) avoid.add(route.record.id);
      return { error, sent: route !== undefined && !route.link.closed };
    }
  }

  #mayRetry(
    request: Request,
    error: FabricError,
    attempt: number,
    sent: boolean,
    signal: AbortSignal,
  ): boolean {
    if (!error.retryable || attempt >= ATTEMPTS_MAX || signal.aborted) return false;
    // What was refused before it ran may be asked again; what may have run, only when that does no harm.
    const harmless = request.idempotent || (!sent && error.reason === "no-agent");
    if (!harmless || this.#retryTokens < 1) return false;
    this.#retryTokens--;
    return true;
  }

  #extra(request: Request, signal: AbortSignal | undefined) {
    const headers = this.#options.inject(request.options.headers);
    return { payload: request.payload, signal, ...(headers === undefined ? {} : { headers }) };
  }
}

function makeOpen(request: Request, route: Route, deadlineMs: number): Open {
  return {
    target: route.target,
    method: request.method,
    deadlineMs,
    caller: "",
    hops: 0,
    idempotent: request.idempotent,
    streams: false,
  };
}
