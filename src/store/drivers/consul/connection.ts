// SPDX-License-Identifier: Apache-2.0
// Calls to agents of Consul over HTTP: the agent in use, another one when that one is away.
import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import { convertAnswer, explainAway, isAgentAway, type Answer } from "./convert-error.ts";

/** Which Consul, and who we are to it. */
export interface ConsulOptions {
  /** `host:port` of agents of one datacentre, at least one. */
  readonly endpoints: readonly string[];
  /** PEM texts; absent: no TLS. `ca` alone checks the agents, `cert` and `key` prove who we are. */
  readonly tls?: { readonly ca: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  /** A token of Consul's access control. */
  readonly token?: string;
  /** Longest that one agent may take for one answer. Default 2 s. */
  readonly attemptTimeoutMs?: number;
}

export interface SendOptions {
  readonly method: "GET" | "PUT";
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Whether it may be sent again to another agent when no answer came. */
  readonly repeatable: boolean;
  /** Waits this much longer than for others, ms. */
  readonly patienceMs?: number;
  /** Whether it is the answer, although its status says that the agent is away. */
  readonly isAnswer?: (answer: Answer) => boolean;
}

const ATTEMPT_TIMEOUT_MS = 2_000;

interface Failure {
  readonly address: string;
  readonly thrown: unknown;
}

/** What one request failed with, and whether the agent may have got it. */
class Lost extends Error {
  readonly wasSent: boolean;
  constructor(cause: unknown, wasSent: boolean) {
    super("no answer came", { cause });
    this.wasSent = wasSent;
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of response as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}

/** Opened once; closing it ends every call. */
export class ConsulConnection {
  readonly #clock: Clock;
  readonly #addresses: readonly string[];
  readonly #agent: HttpAgent;
  readonly #isTls: boolean;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #attemptTimeoutMs: number;
  readonly #closing = new AbortController();
  /** Calls that wait for long, by where: an agent that is left tells them nothing any more. */
  readonly #waiting = new Map<AbortController, number>();
  #current = 0;

  constructor(
    { endpoints, tls, token, attemptTimeoutMs = ATTEMPT_TIMEOUT_MS }: ConsulOptions,
    clock: Clock,
  ) {
    if (endpoints.length === 0) throw new Error("no endpoint of Consul is given");
    this.#clock = clock;
    this.#addresses = endpoints;
    this.#isTls = tls !== undefined;
    this.#agent =
      tls === undefined
        ? new HttpAgent({ keepAlive: true })
        : new HttpsAgent({ keepAlive: true, ...tls });
    this.#headers = token === undefined ? {} : { "X-Consul-Token": token };
    this.#attemptTimeoutMs = attemptTimeoutMs;
  }

  /** Throws FL0401 `store-unavailable` once it is closed. */
  checkOpen(): void {
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason;
  }

  /** Its answer, whatever its status, but those of agents that are away. Throws errors of the store. */
  async send(path: string, options: SendOptions): Promise<Answer & { readonly address: string }> {
    const { signal, repeatable } = options;
    const failures: Failure[] = [];
    for (let left = this.#addresses.length + (repeatable ? 1 : 0); left > 0; left--) {
      signal?.throwIfAborted();
      this.checkOpen();
      const at = this.#current;
      const address = this.#addresses[at] ?? "";
      try {
        const answer = await this.#sendTo(at, address, path, options);
        if (!isAgentAway(answer) || options.isAnswer?.(answer) === true)
          return { ...answer, address };
        this.#leave(at);
        if (!repeatable || left === 1) throw convertAnswer(answer, address);
      } catch (thrown) {
        signal?.throwIfAborted();
        this.checkOpen();
        if (!(thrown instanceof Lost)) throw thrown;
        this.#leave(at);
        if (!failures.some((one) => one.address === address))
          failures.push({ address, thrown: thrown.cause });
        if (!repeatable && thrown.wasSent) break;
      }
    }
    throw explainAway(failures, { isTls: this.#isTls });
  }

  /** As `send`, and throws for an answer that is not of these statuses. */
  async ask(path: string, options: SendOptions, statuses: readonly number[]): Promise<Answer> {
    const answer = await this.send(path, options);
    if (statuses.includes(answer.status)) return answer;
    throw convertAnswer(answer, answer.address);
  }

  close(): void {
    this.#closing.abort(new FairleadError(storeErrors["store-unavailable"], "The store is closed"));
    this.#agent.destroy();
  }

  #leave(at: number): void {
    if (this.#current !== at) return;
    this.#current = (at + 1) % this.#addresses.length;
    for (const [waiting, where] of this.#waiting) if (where === at) waiting.abort();
  }

  async #sendTo(
    at: number,
    address: string,
    path: string,
    { method, body, signal, patienceMs = 0 }: SendOptions,
  ): Promise<Answer> {
    const leaving = new AbortController();
    if (patienceMs > 0) this.#waiting.set(leaving, at);
    const alarm = new AbortController();
    const ended = AbortSignal.any([leaving.signal, alarm.signal, this.#closing.signal]);
    const stop = signal === undefined ? ended : AbortSignal.any([signal, ended]);
    const limitMs = this.#attemptTimeoutMs + patienceMs;
    const done = new AbortController();
    this.#clock.sleep(limitMs, done.signal).then(
      () => alarm.abort(new Error(`it said nothing for ${limitMs} ms`)),
      () => undefined,
    );
    try {
      return await this.#exchange(`${this.#isTls ? "https" : "http"}://${address}${path}`, {
        method,
        text: body === undefined ? "" : JSON.stringify(body),
        stop,
      });
    } catch (thrown) {
      if (thrown instanceof Lost && alarm.signal.aborted)
        throw new Lost(alarm.signal.reason, thrown.wasSent);
      throw thrown;
    } finally {
      done.abort();
      this.#waiting.delete(leaving);
    }
  }

  #exchange(
    url: string,
    {
      method,
      text,
      stop,
    }: { readonly method: string; readonly text: string; readonly stop: AbortSignal },
  ): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    let isConnected = false;
    const fail = (thrown: unknown): void => reject(new Lost(thrown, isConnected));
    const send = this.#isTls ? requestHttps : requestHttp;
    const length = { "Content-Length": String(Buffer.byteLength(text)) };
    const headers = { ...this.#headers, ...(text === "" ? {} : length) };
    try {
      const request = send(url, { agent: this.#agent, method, headers, signal: stop });
      request.on("socket", (socket) => {
        // One that is used again is connected, and would keep every listener.
        isConnected ||= request.reusedSocket;
        if (!isConnected)
          socket.once(this.#isTls ? "secureConnect" : "connect", () => (isConnected = true));
      });
      request.on("error", fail);
      request.on("response", (response) => {
        const index = Number(response.headers["x-consul-index"] ?? 0);
        const status = response.statusCode ?? 0;
        readText(response).then((body) => resolve({ status, index, text: body }), fail);
      });
      request.end(text);
    } catch (thrown) {
      fail(thrown);
    }
    return promise;
  }
}
