// SPDX-License-Identifier: Apache-2.0
// The side that asks: each question has a connection of its own, as they are few and long.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { connect, type TLSSocket } from "node:tls";
import { FairleadError } from "#base/errors.ts";
import { CONNECTION, DIGEST } from "./answering.ts";
import { peeringErrors } from "./errors.ts";
import type { AskOptions, PeerCredentials, Peering, PeerPlace } from "./peering.ts";
import { makeClientTls, type KnownPeers } from "./tls.ts";

export interface AskingOptions {
  readonly credentials: PeerCredentials;
  readonly known: KnownPeers;
}

/** For the connection, and between two signs that an answer comes. */
const SILENCE_MS = 10_000;
/** Between two pieces of a stream, while somebody wants the next. */
const STALL_MS = 30_000;
const VALUE_BYTES_MAX = 1024 * 1024;

function unreachable(to: PeerPlace, why: string, cause?: unknown): FairleadError {
  return new FairleadError(
    peeringErrors["peer-unreachable"],
    `${to.address}:${to.port}: ${why}`,
    cause === undefined ? {} : { cause },
  );
}

function untrusted(to: PeerPlace, why: string, cause: unknown): FairleadError {
  return new FairleadError(
    peeringErrors["peer-untrusted"],
    `${to.address}:${to.port} is not ${to.id}: ${why}`,
    { cause },
  );
}

function wordsOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** OpenSSL's words on the other side's certificate, or the other side's on ours: `…:SSL alert number 42`. */
const TLS_FAILURE =
  /^(EPROTO$|ERR_SSL_|ERR_TLS_|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|INVALID_|PATH_LENGTH_|UNSPECIFIED$)/;

function convertFailure(to: PeerPlace, thrown: unknown): FairleadError {
  if (thrown instanceof FairleadError) return thrown;
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  if (TLS_FAILURE.test(code)) return untrusted(to, wordsOf(thrown), thrown);
  return unreachable(to, wordsOf(thrown), thrown);
}

/** A connection to the node that was meant, and to no other. */
async function dial(
  { credentials, known }: AskingOptions,
  to: PeerPlace,
  signal: AbortSignal | undefined,
): Promise<TLSSocket> {
  const socket = connect({ ...makeClientTls(credentials), host: to.address, port: to.port });
  const alarm = setTimeout(
    () => socket.destroy(unreachable(to, `said nothing for ${SILENCE_MS} ms`)),
    SILENCE_MS,
  );
  const leave = (): void => void socket.destroy(new Error("nobody waits any more"));
  // It may be cut at any time, also while nobody listens for it.
  socket.on("error", () => undefined);
  signal?.addEventListener("abort", leave, { once: true });
  try {
    await once(socket, "secureConnect");
    const id = await known.identify(socket);
    if (id !== to.id) throw untrusted(to, `it is ${id}`, undefined);
    if (socket.destroyed) throw socket.errored ?? unreachable(to, "the connection was cut");
    return socket;
  } catch (thrown) {
    socket.destroy();
    signal?.throwIfAborted();
    throw convertFailure(to, thrown);
  } finally {
    clearTimeout(alarm);
    signal?.removeEventListener("abort", leave);
  }
}

interface Opened {
  readonly response: IncomingMessage;
  /** Where a connection was asked for, and given. */
  readonly stream?: Duplex;
}

/** The head of the answer. */
async function open(
  options: AskingOptions,
  to: PeerPlace,
  path: string,
  { query = {}, signal, headers }: AskOptions & { readonly headers?: Record<string, string> },
): Promise<Opened> {
  signal?.throwIfAborted();
  const socket = await dial(options, to, signal);
  return new Promise((resolve, reject) => {
    const search = new URLSearchParams(query).toString();
    const sent = request({
      createConnection: () => socket,
      host: to.address,
      path: search === "" ? path : `${path}?${search}`,
      ...(headers === undefined ? {} : { headers }),
      ...(signal === undefined ? {} : { signal }),
    });
    const alarm = setTimeout(
      () => sent.destroy(unreachable(to, `said nothing for ${SILENCE_MS} ms`)),
      SILENCE_MS,
    );
    sent.on("information", () => alarm.refresh());
    sent.on("response", (response) => {
      clearTimeout(alarm);
      resolve({ response });
    });
    sent.on("upgrade", (response, stream, head) => {
      clearTimeout(alarm);
      if (head.length > 0) stream.unshift(head);
      resolve({ response, stream });
    });
    sent.on("error", (error) => {
      clearTimeout(alarm);
      reject(signal?.aborted === true ? signal.reason : convertCut(to, error));
    });
    sent.end();
  });
}

/** What ends a connection whose other end is known; with TLS 1.3 it looks at this one's certificate only now. */
function convertCut(to: PeerPlace, thrown: unknown): FairleadError {
  const failure = convertFailure(to, thrown);
  if (failure.kind !== peeringErrors["peer-unreachable"] || failure === thrown) return failure;
  return unreachable(
    to,
    `the connection was cut (${wordsOf(thrown)}); perhaps this node's certificate is not believed there`,
    thrown,
  );
}

/** The bytes of an answer; throws when they stand still or are cut. */
async function* readBytes(to: PeerPlace, response: IncomingMessage): AsyncGenerator<Buffer> {
  const pieces = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const stall = unreachable(to, `sent nothing for ${STALL_MS} ms`);
      const alarm = setTimeout(() => response.destroy(stall), STALL_MS);
      const next = await pieces.next().finally(() => clearTimeout(alarm));
      if (next.done === true) return;
      yield next.value;
    }
  } catch (thrown) {
    if (thrown instanceof FairleadError) throw thrown;
    throw unreachable(to, `the connection was cut (${wordsOf(thrown)})`, thrown);
  } finally {
    response.destroy();
  }
}

async function readValue(to: PeerPlace, response: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const piece of readBytes(to, response)) {
    sizeBytes += piece.length;
    if (sizeBytes > VALUE_BYTES_MAX) throw unreachable(to, "answers more than was asked for");
    pieces.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString()) as unknown;
  } catch (cause) {
    throw unreachable(to, "does not answer in JSON", cause);
  }
}

function refusedHere(to: PeerPlace, message: string): FairleadError {
  return new FairleadError(
    peeringErrors["peer-untrusted"],
    `${to.address}:${to.port} does not believe this node: ${message.slice(0, 500)}`,
  );
}

/** Throws FL1204 when the answer is a refusal, FL1203 when this node is nobody there. */
async function checkStatus(to: PeerPlace, response: IncomingMessage): Promise<void> {
  if (response.statusCode === 200) return;
  const value = await readValue(to, response);
  const { code, message } = { code: "internal", message: "no reason", ...(value as object | null) };
  if (response.statusCode === 401) throw refusedHere(to, String(message));
  throw new FairleadError(peeringErrors["peer-refused"], String(message).slice(0, 500), {
    facts: { code: String(code) },
  });
}

async function* readWhole(to: PeerPlace, response: IncomingMessage): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  for await (const piece of readBytes(to, response)) {
    hash.update(piece);
    yield piece;
  }
  const digest = response.trailers[DIGEST];
  if (digest === undefined) throw unreachable(to, "ended before it was whole");
  if (digest !== hash.digest("hex"))
    throw new FairleadError(
      peeringErrors["peer-garbled"],
      `${to.address}:${to.port} sent other bytes than it says`,
    );
}

/** Makes the asking half of a peering. */
export function createAsking(options: AskingOptions): Pick<Peering, "ask" | "stream" | "connect"> {
  return {
    async ask(to, path, more = {}) {
      const { response } = await open(options, to, path, more);
      await checkStatus(to, response);
      return readValue(to, response);
    },
    async stream(to, path, more = {}) {
      const { response } = await open(options, to, path, more);
      await checkStatus(to, response);
      return readWhole(to, response);
    },
    async connect(to, path, more = {}) {
      const headers = { connection: "Upgrade", upgrade: CONNECTION };
      const { response, stream } = await open(options, to, path, { ...more, headers });
      if (stream !== undefined) return stream;
      await checkStatus(to, response);
      response.destroy();
      throw unreachable(to, "answers, and gives no connection");
    },
  };
}
