// SPDX-License-Identifier: Apache-2.0
// The side that is asked.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { FairleadError, type Code } from "#base/errors.ts";
import { peeringErrors } from "./errors.ts";
import type { PeerConnection, PeerHandler, PeerReply } from "./peering.ts";

/** The trailer that ends a whole stream: the SHA-256 of its bytes, in hexadecimal. */
export const DIGEST = "fairlead-sha256";
/** What a connection in both directions is asked for with, in the header `upgrade`. */
export const CONNECTION = "fairlead-connection";
/** As long as an answer is not there, it is said this often that it comes. */
const WORKING_MS = 4_000;

const STATUS: Readonly<Partial<Record<Code, number>>> = {
  invalid_argument: 400,
  not_found: 404,
  aborted: 409,
  resource_exhausted: 429,
  unavailable: 503,
  unauthenticated: 401,
};

export interface AnsweringOptions {
  readonly handlers: ReadonlyMap<string, PeerHandler>;
  /** Id of the node at the other end of a socket. Throws FL1203 when it is none of the fleet. */
  readonly identify: (socket: Socket) => Promise<string>;
  readonly onAnswered: () => void;
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    connection: "close",
  });
  response.end(text);
}

function sendRefusal(response: ServerResponse, thrown: unknown): void {
  const { code, message } = FairleadError.from(thrown);
  sendJson(response, STATUS[code] ?? 500, { code, message });
}

async function sendStream(
  response: ServerResponse,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const hash = createHash("sha256");
  response.writeHead(200, {
    "content-type": "application/octet-stream",
    trailer: DIGEST,
    connection: "close",
  });
  response.flushHeaders();
  for await (const chunk of chunks) {
    hash.update(chunk);
    if (!response.write(chunk)) await once(response, "drain", { signal });
    signal.throwIfAborted();
  }
  response.addTrailers({ [DIGEST]: hash.digest("hex") });
  response.end();
}

async function send(
  response: ServerResponse,
  reply: Exclude<PeerReply, PeerConnection>,
  signal: AbortSignal,
): Promise<void> {
  if (reply.kind === "value") return sendJson(response, 200, reply.value);
  try {
    await sendStream(response, reply.chunks, signal);
  } catch {
    // The missing end says that it is not whole.
    response.destroy();
  }
}

async function decide(
  request: IncomingMessage,
  signal: AbortSignal,
  { handlers, identify }: AnsweringOptions,
): Promise<PeerReply | undefined> {
  const from = await identify(request.socket);
  const { pathname, searchParams: query } = new URL(request.url ?? "/", "https://peer.invalid");
  const handler = request.method === "GET" ? handlers.get(pathname) : undefined;
  return handler?.({ from, query, signal });
}

/** Makes the listener of a server. */
export function createAnswering(
  options: AnsweringOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const leaving = new AbortController();
    const working = setInterval(() => response.writeProcessing(), WORKING_MS);
    response.on("error", () => undefined);
    response.once("close", () => {
      clearInterval(working);
      leaving.abort();
    });
    try {
      const reply = await decide(request, leaving.signal, options);
      clearInterval(working);
      options.onAnswered();
      if (reply === undefined)
        return sendJson(response, 404, { code: "unimplemented", message: "is not known here" });
      if (reply.kind === "connection")
        return sendJson(response, 426, { code: "invalid_argument", message: "is a connection" });
      await send(response, reply, leaving.signal);
    } catch (thrown) {
      clearInterval(working);
      sendRefusal(response, thrown);
    }
  }
  return (request, response) => {
    request.resume();
    void answer(request, response);
  };
}

/** A refusal where there is no response to write it to. */
function refuseConnection(socket: Duplex, thrown: unknown): void {
  const { code, message } = FairleadError.from(thrown);
  const status = STATUS[code] ?? 500;
  const body = JSON.stringify({ code, message });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

/** Makes the listener of a server for those who ask for a connection. */
export function createConnecting(
  options: AnsweringOptions,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void> {
  return async (request, socket, head) => {
    const leaving = new AbortController();
    const leave = (): void => leaving.abort();
    const ignore = (): void => undefined;
    socket.on("error", ignore).once("close", leave);
    try {
      const isKnown = request.headers.upgrade === CONNECTION;
      const reply = isKnown ? await decide(request, leaving.signal, options) : undefined;
      if (reply?.kind !== "connection")
        throw new FairleadError(peeringErrors["peer-refused"], "is no connection here");
      options.onAnswered();
      if ("setTimeout" in socket && typeof socket.setTimeout === "function") socket.setTimeout(0);
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${CONNECTION}\r\n\r\n`,
      );
      if (head.length > 0) socket.unshift(head);
      reply.take(socket);
    } catch (thrown) {
      refuseConnection(socket, thrown);
    }
  };
}
