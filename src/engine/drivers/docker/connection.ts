// SPDX-License-Identifier: Apache-2.0
// HTTP to one engine over node:http. Short calls share kept-alive sockets; every stream has a socket of its own, so that
// a slow or hung one never stands in the way of another.
import {
  Agent as HttpAgent,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { Readable, type Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { FairleadError } from "#base/errors.ts";
import { engineErrors } from "#engine/errors.ts";
import { convertFailure, convertRefusal } from "./convert-error.ts";
import type { Endpoint } from "./endpoint.ts";

/** More than acts and readings together ever ask at once, also while some of them hang. */
const SOCKETS_MAX = 512;
/** A kept socket that nobody used for so long is closed: what a burst needed is not held by node and engine ever after. */
const IDLE_MS = 10_000;
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;
const API_OLDEST = [1, 41] as const;
/** The newest that Fairlead was written against; a newer engine is spoken to in this one. */
const API_NEWEST = [1, 52] as const;

export interface CallParts {
  readonly signal?: AbortSignal | undefined;
  readonly deadlineMs?: number | undefined;
  readonly json?: unknown;
  readonly body?: AsyncIterable<Uint8Array> | Uint8Array;
  readonly contentType?: string;
  readonly decision?: string;
}

export interface Connection {
  readonly endpoint: Endpoint;
  /** One answer as JSON, text, or undefined when empty. */
  call(method: string, path: string, parts?: CallParts): Promise<unknown>;
  /** The answer as it comes. The deadline is for its head; after that only the signal ends it. */
  stream(method: string, path: string, parts?: CallParts): Promise<IncomingMessage>;
  /** A connection taken over, for exec. */
  hijack(
    path: string,
    parts: CallParts,
  ): Promise<{ readonly socket: Duplex; readonly head: Buffer }>;
  /** `1.41`; asks the engine when it is not known. */
  negotiate(signal?: AbortSignal): Promise<string>;
  /** Forgets the version: another engine may answer next. */
  reset(): void;
  close(): void;
}

function parseVersion(text: string): readonly [number, number] {
  const [major = "0", minor = "0"] = text.split(".");
  return [Number(major), Number(minor)];
}

/** The version to speak with an engine that says `offered`. Throws FL0302 `engine-too-old`. */
export function chooseVersion(offered: string): string {
  const [major, minor] = parseVersion(offered);
  const newest = major > API_NEWEST[0] || (major === API_NEWEST[0] && minor > API_NEWEST[1]);
  if (newest) return API_NEWEST.join(".");
  if (major < API_OLDEST[0] || (major === API_OLDEST[0] && minor < API_OLDEST[1])) {
    throw new FairleadError(
      engineErrors["engine-too-old"],
      `the engine speaks API ${offered || "of an unknown version"}`,
      { facts: { needed: API_OLDEST.join(".") } },
    );
  }
  return `${major}.${minor}`;
}

function sendBody(request: ClientRequest, parts: CallParts): void {
  const { body } = parts;
  if (parts.json !== undefined) request.end(JSON.stringify(parts.json));
  else if (body === undefined || body instanceof Uint8Array) request.end(body);
  else void pump(request, body);
}

/** A body that fails ends the request, whose error then says so. */
async function pump(request: ClientRequest, body: AsyncIterable<Uint8Array>): Promise<void> {
  await pipeline(Readable.from(body, { objectMode: false }), request).catch(() => undefined);
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > ANSWER_BYTES_MAX)
      throw new FairleadError(engineErrors["engine-failed"], "the engine's answer has no end");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseAnswer(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Prepares a connection; nothing is sent before the first call. */
export function createConnection(
  endpoint: Endpoint,
  options: { readonly readOnly: boolean; readonly idleMs?: number },
): Connection {
  const secure = endpoint.kind === "tcp" && endpoint.tls !== undefined;
  const { idleMs: timeout = IDLE_MS } = options;
  const pool = { keepAlive: true, maxSockets: SOCKETS_MAX, scheduling: "lifo" as const, timeout };
  const agent = secure ? new HttpsAgent(pool) : new HttpAgent(pool);
  let version: Promise<string> | undefined;

  function target(): object {
    if (endpoint.kind === "unix") return { socketPath: endpoint.socketPath };
    const { host, port, tls } = endpoint;
    if (tls === undefined) return { host, port };
    return { host, port, ca: tls.ca, cert: tls.cert, key: tls.key, rejectUnauthorized: tls.verify };
  }

  function open(
    method: string,
    path: string,
    parts: CallParts,
    own: boolean,
    signal: AbortSignal,
  ): ClientRequest {
    if (options.readOnly && method !== "GET" && method !== "HEAD") {
      throw new FairleadError(engineErrors["engine-refused"], `a reader may not ${method} ${path}`);
    }
    const headers: Record<string, string> = {};
    // Over TCP the name is the address's: a certificate is checked against the name that the request carries.
    if (endpoint.kind === "unix") headers["Host"] = "docker";
    if (parts.decision !== undefined) headers["X-Fairlead-Decision"] = parts.decision;
    if (parts.json !== undefined) headers["Content-Type"] = "application/json";
    else if (parts.contentType !== undefined) headers["Content-Type"] = parts.contentType;
    const request = secure ? httpsRequest : httpRequest;
    return request({ ...target(), method, path, headers, signal, agent: own ? false : agent });
  }

  /**
   * Sends and waits for the head of the answer. A kept socket may have been closed by the engine just when it was used
   * again: a question is then asked once more, on a new one.
   */
  async function send(
    method: string,
    path: string,
    parts: CallParts,
    own: boolean,
  ): Promise<IncomingMessage> {
    const deadlineMs = parts.deadlineMs ?? 5_000;
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), deadlineMs);
    const signals =
      parts.signal === undefined ? [deadline.signal] : [deadline.signal, parts.signal];
    try {
      return await new Promise<IncomingMessage>((resolve, reject) => {
        const begin = (fresh: boolean): void => {
          const request = open(method, path, parts, fresh, AbortSignal.any(signals));
          request.on("response", (response) => {
            if (own) clearTimeout(timer);
            else response.once("close", () => clearTimeout(timer));
            resolve(response);
          });
          request.on("error", (error) => {
            if (method === "GET" && isStale(request, error)) begin(true);
            else reject(error);
          });
          sendBody(request, parts);
        };
        begin(own);
      });
    } catch (error) {
      clearTimeout(timer);
      if (parts.signal?.aborted === true) throw parts.signal.reason;
      throw convertFailure(error, endpoint.text, deadlineMs, deadline.signal.aborted);
    }
  }

  async function ask(method: string, path: string, parts: CallParts): Promise<unknown> {
    const response = await send(method, path, parts, false);
    let text: string;
    try {
      text = await readText(response);
    } catch (error) {
      if (parts.signal?.aborted === true) throw parts.signal.reason;
      throw convertFailure(error, endpoint.text, parts.deadlineMs ?? 5_000, true);
    }
    const status = response.statusCode ?? 0;
    if (status >= 400) throw convertRefusal({ status, text, method, path: stripVersion(path) });
    return parseAnswer(text);
  }

  async function ping(): Promise<string> {
    const response = await send("GET", "/_ping", { deadlineMs: 5_000 }, false);
    response.resume();
    const offered = response.headers["api-version"];
    return chooseVersion(typeof offered === "string" ? offered : "");
  }

  function negotiate(signal?: AbortSignal): Promise<string> {
    if (version === undefined) {
      const asked: Promise<string> = ping().catch((error: unknown) => {
        if (version === asked) version = undefined;
        throw error;
      });
      version = asked;
    }
    // The question is everybody's: whoever gives up leaves it to the others.
    return signal === undefined ? version : abandonOn(signal, version);
  }

  return {
    endpoint,
    negotiate,
    async call(method, path, parts = {}) {
      return ask(method, `/v${await negotiate(parts.signal)}${path}`, parts);
    },
    async stream(method, path, parts = {}) {
      const full = `/v${await negotiate(parts.signal)}${path}`;
      const response = await send(method, full, parts, true);
      const status = response.statusCode ?? 0;
      if (status >= 400)
        throw convertRefusal({ status, text: await readText(response), method, path });
      return response;
    },
    async hijack(path, parts) {
      const full = `/v${await negotiate(parts.signal)}${path}`;
      const signal = parts.signal ?? new AbortController().signal;
      return new Promise((resolve, reject) => {
        const request = open("POST", full, parts, true, signal);
        request.setHeader("Connection", "Upgrade");
        request.setHeader("Upgrade", "tcp");
        request.on("upgrade", (_response, socket, head) => resolve({ socket, head }));
        request.on("response", (response) => {
          void readText(response).then(
            (text) =>
              reject(
                convertRefusal({ status: response.statusCode ?? 0, text, method: "POST", path }),
              ),
            reject,
          );
        });
        request.on("error", (error) => reject(convertFailure(error, endpoint.text, 0, false)));
        sendBody(request, parts);
      });
    },
    reset() {
      version = undefined;
    },
    close: () => agent.destroy(),
  };
}

/** The engine closed a kept socket just when it was used again: what was asked can be asked once more. */
function isStale(request: ClientRequest, error: NodeJS.ErrnoException): boolean {
  return request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
}

/** The answer, or the signal's reason when that comes first. */
function abandonOn<T>(signal: AbortSignal, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    void answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function stripVersion(path: string): string {
  return path.replace(/^\/v[\d.]+/, "");
}
