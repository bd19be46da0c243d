// SPDX-License-Identifier: Apache-2.0
// Calls and streams from this agent: route, ask, and try elsewhere when that is safe.
import { DRAINING, FabricError } from "@fairlead/fabric/errors.ts";
import type { Headers, Open } from "@fairlead/fabric/frame.ts";
import { POLICY_DEFAULT } from "@fairlead/routing/policy.ts";
import { RetryBudget } from "@fairlead/routing/retry-budget.ts";
import { toMs, type Duration } from "./duration.ts";
import { callOnce, streamOnce } from "./exchange.ts";
import type { Route, Router, RouteOutcome, Target } from "./router.ts";
import { injectTrace } from "./tracing.ts";
import { OVERLOADED } from "./turnstile.ts";

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
/** Codes that say something of the instance, not of what was asked. */
const FAILURES: ReadonlySet<FabricError["code"]> = new Set([
  "deadline_exceeded",
  "internal",
  "unknown",
  "data_loss",
]);

/** What became of one attempt. */
type Attempted = { readonly answer: Uint8Array | undefined } | Failed;
interface Failed {
  readonly error: FabricError;
  /** Whether there was an instance to ask. */
  readonly wasAsked: boolean;
  readonly budget?: RetryBudget | undefined;
}

/** What has been tried for one request. `hasMoved`: it was repeated because who was asked leaves or is away. */
interface Tries {
  count: number;
  hasMoved: boolean;
}

export interface CallingOptions {
  readonly router: Router;
  readonly random: () => number;
}

/** What an error says of the instance that was asked. */
function judgeError(error: FabricError): RouteOutcome {
  if (error.code === "canceled") return "canceled";
  if (error.reason === OVERLOADED) return "refused";
  // Who leaves is left out by what is told of it, and is not ill.
  if (error.unbegun && error.reason === DRAINING) return "canceled";
  return error.retryable || FAILURES.has(error.code) ? "failed" : "ok";
}

/** Whether who was asked began nothing because it leaves or is not there: others may be. Who has too many is asked no more. */
function isMovable(error: FabricError): boolean {
  return error.unbegun && error.code !== "resource_exhausted";
}

/** Asks others. */
export class Calling {
  readonly #options: CallingOptions;
  /** For calls that find nobody to choose from. */
  readonly #budget = new RetryBudget(POLICY_DEFAULT.retryShare);

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
    this.#budget.deposit();
    const avoid = new Set<string>();
    const tries: Tries = { count: 0, hasMoved: false };
    try {
      for (;;) {
        const failed = await this.#attempt(request, signal, endMs, avoid);
        if (!("error" in failed)) return failed.answer;
        if (!(await this.#mayRetry(request, failed, tries, signal))) throw failed.error;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Items' bytes. Tried again only when nothing was begun: nobody knows what an attempt did. */
  async *stream(request: Request): AsyncGenerator<Uint8Array> {
    const { options } = request;
    const timeoutMs = options.timeout === undefined ? 0 : toMs(options.timeout);
    const signals = [
      ...(options.signal === undefined ? [] : [options.signal]),
      ...(timeoutMs === 0 ? [] : [AbortSignal.timeout(timeoutMs)]),
    ];
    const signal = signals.length === 0 ? undefined : AbortSignal.any(signals);
    const avoid = new Set<string>();
    const tries: Tries = { count: 0, hasMoved: false };
    for (;;) {
      const wish = { avoid, headers: options.headers };
      const route = await this.#options.router.route(request.target, signal, wish);
      avoid.add(route.record.id);
      try {
        return yield* this.#streamBy(request, route, signal, timeoutMs);
      } catch (thrown) {
        const error = FabricError.from(thrown);
        const failed = { error, wasAsked: true, budget: route.budget };
        if (!isMovable(error) || !(await this.#mayRetry(request, failed, tries, signal)))
          throw thrown;
      }
    }
  }

  async *#streamBy(
    request: Request,
    route: Route,
    signal: AbortSignal | undefined,
    timeoutMs: number,
  ): AsyncGenerator<Uint8Array, void> {
    const beganMs = performance.now();
    // Streams are as long as they like: an instance is as quick as its first item.
    let firstMs: number | undefined;
    let outcome: RouteOutcome = "canceled";
    route.meter?.count();
    try {
      for await (const item of streamOnce(
        route.link,
        makeOpen(request, route, timeoutMs),
        this.#extra(request, signal),
      )) {
        firstMs ??= performance.now() - beganMs;
        yield item;
      }
      outcome = "ok";
    } catch (thrown) {
      const error = FabricError.from(thrown);
      outcome = request.options.signal?.aborted === true ? "canceled" : judgeError(error);
      throw thrown;
    } finally {
      route.done(outcome, firstMs);
    }
  }

  async #attempt(
    request: Request,
    signal: AbortSignal,
    endMs: number,
    avoid: Set<string>,
  ): Promise<Attempted> {
    const { headers } = request.options;
    let route: Route;
    try {
      signal.throwIfAborted();
      route = await this.#options.router.route(request.target, signal, { avoid, headers });
    } catch (thrown) {
      return { error: FabricError.from(thrown), wasAsked: false };
    }
    if (avoid.size === 0) route.budget?.deposit();
    avoid.add(route.record.id);
    if (!request.idempotent || route.hedgeAfterMs === undefined)
      return this.#ask(request, route, signal, endMs);
    return this.#hedge(request, route, signal, endMs, avoid);
  }

  /** Never rejects. `overtaken` aborts when another's answer is taken. */
  async #ask(
    request: Request,
    route: Route,
    signal: AbortSignal,
    endMs: number,
    overtaken?: AbortSignal,
  ): Promise<Attempted> {
    const either = overtaken === undefined ? signal : AbortSignal.any([signal, overtaken]);
    try {
      const leftMs = Math.max(1, Math.ceil(endMs - performance.now()));
      const open = makeOpen(request, route, leftMs);
      route.meter?.count();
      const answer = await callOnce(route.link, open, this.#extra(request, either));
      route.done("ok");
      return { answer };
    } catch (thrown) {
      const error = FabricError.from(thrown);
      const left = request.options.signal?.aborted === true;
      if (overtaken?.aborted === true) route.done("overtaken");
      else route.done(left ? "canceled" : judgeError(error));
      return { error, wasAsked: true, budget: route.budget };
    }
  }

  /** Asks a second instance when the first takes longer than most; the first answer counts, the other is called off. */
  async #hedge(
    request: Request,
    first: Route,
    signal: AbortSignal,
    endMs: number,
    avoid: Set<string>,
  ): Promise<Attempted> {
    const stops = [new AbortController(), new AbortController()] as const;
    const one = this.#ask(request, first, signal, endMs, stops[0].signal);
    const late = Promise.withResolvers<"late">();
    const timer = setTimeout(() => late.resolve("late"), first.hedgeAfterMs ?? 0);
    const early = await Promise.race([one, late.promise]);
    clearTimeout(timer);
    if (early !== "late") return early;
    const second = await this.#routeSecond(request, first, signal, avoid);
    if (second === undefined) return one;
    const other = this.#ask(request, second, signal, endMs, stops[1].signal);
    const winner = await Promise.race([
      one.then((attempted) => ({ attempted, rest: other, stop: stops[1] })),
      other.then((attempted) => ({ attempted, rest: one, stop: stops[0] })),
    ]);
    // A failure does not win while the other may still answer.
    if ("error" in winner.attempted) return winner.rest;
    winner.stop.abort(new FabricError("canceled", "another instance answered first"));
    return winner.attempted;
  }

  /** Another instance, if there is one and the budget has room for it. */
  async #routeSecond(
    request: Request,
    first: Route,
    signal: AbortSignal,
    avoid: Set<string>,
  ): Promise<Route | undefined> {
    if (first.budget?.take() !== true) return undefined;
    try {
      const { headers } = request.options;
      const second = await this.#options.router.route(request.target, signal, { avoid, headers });
      if (!avoid.has(second.record.id)) {
        avoid.add(second.record.id);
        return second;
      }
      second.done("canceled");
      return undefined;
    } catch {
      // The first is on its way; that there is no second is no failure of the call.
      return undefined;
    }
  }

  /** Whether it is to be asked again; resolves when it is time to. */
  async #mayRetry(
    request: Request,
    { error, wasAsked, budget = this.#budget }: Failed,
    tries: Tries,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    tries.count++;
    if (!error.retryable || tries.count >= ATTEMPTS_MAX || signal?.aborted === true) return false;
    // What was refused before it began may be asked again; what may have run, only when that does no harm.
    if (!request.idempotent && !isMovable(error)) return false;
    // Who leaves refuses what comes until that is known, and nobody is buried under it: once it costs nothing and goes at once.
    if (wasAsked && isMovable(error) && !tries.hasMoved) {
      tries.hasMoved = true;
      return true;
    }
    if (!budget.take()) return false;
    const pauseMs = PAUSE_MS * 2 ** (tries.count - 1) * this.#options.random();
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    return true;
  }

  #extra(request: Request, signal: AbortSignal | undefined) {
    const headers = injectTrace(request.options.headers);
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
    proof: route.prove(request.method),
  };
}
