// SPDX-License-Identifier: Apache-2.0
// The side that asks: each question has a connection of its own, as they are few and long.
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { Duplex } from "node:stream";
import { FairleadError } from "#base/errors.ts";
import { CONNECTION, DIGEST } from "./answering.ts";
import { peeringErrors } from "./errors.ts";
import type { AskOptions, Peering, PeerPlace } from "./peering.ts";
import { makeClientTls } from "./tls.ts";

export interface AskingOptions {
  readonly id: string;
  readonly secret: Uint8Array;
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

function convertFailure(to: PeerPlace, thrown: unknown, handshaken: boolean): FairleadError {
  if (thrown instanceof FairleadError) return thrown;
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  if (!handshaken && /^(EPROTO$|ERR_SSL_|ERR_TLS_)/.test(code))
    return new FairleadError(
      peeringErrors["peer-untrusted"],
      `${to.address}:${to.port} does not have the fleet's key, or is not ${to.id}`,
      { cause: thrown },
    );
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  return unreachable(to, handshaken ? `the connection was cut (${why})` : why, thrown);
}

interface Opened {
  readonly response: IncomingMessage;
  /** Where a connection was asked for, and given. */
  readonly stream?: Duplex;
}

/** The head of the answer. */
function open(
  { id, secret }: AskingOptions,
  to: PeerPlace,
  path: string,
  { query = {}, signal, headers }: AskOptions & { readonly headers?: Record<string, string> },
): Promise<Opened> {
  return new Promise((resolve, reject) => {
    let handshaken = false;
    const search = new URLSearchParams(query).toString();
    const sent = request({
      ...makeClientTls(secret, id, to.id),
      host: to.address,
      port: to.port,
      path: search === "" ? path : `${path}?${search}`,
      agent: false,
      ...(headers === undefined ? {} : { headers }),
      ...(signal === undefined ? {} : { signal }),
    });
    const alarm = setTimeout(
      () => sent.destroy(unreachable(to, `said nothing for ${SILENCE_MS} ms`)),
      SILENCE_MS,
    );
    sent.on("socket", (socket) =>
      socket.once("secureConnect", () => {
        handshaken = true;
        alarm.refresh();
      }),
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
      reject(signal?.aborted === true ? signal.reason : convertFailure(to, error, handshaken));
    });
    sent.end();
  });
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
    throw convertFailure(to, thrown, true);
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

/** Throws FL1204 when the answer is a refusal. */
async function checkStatus(to: PeerPlace, response: IncomingMessage): Promise<void> {
  if (response.statusCode === 200) return;
  const value = await readValue(to, response);
  const { code, message } = { code: "internal", message: "no reason", ...(value as object | null) };
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
