// SPDX-License-Identifier: Apache-2.0
// The engine behind a guarded socket. Every request is written here from its parts; no header of the agent's gets through.
import { Agent, request as sendRequest, type ClientRequest, type IncomingMessage } from "node:http";
import type { Duplex, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { FairleadError } from "#base/errors.ts";
import { wardenErrors } from "./errors.ts";
import { createQuestions } from "./questions.ts";

/** What is asked of the engine. */
export interface Question {
  readonly method: string;
  /** With version and query, written from what was checked. */
  readonly path: string;
  readonly json?: unknown;
  /** A tar for an archive, as it comes. */
  readonly tar?: Readable;
  readonly decision?: string;
  readonly signal?: AbortSignal;
}

/** An answer that was read whole. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

/** A connection taken over, or the answer of an engine that would not. */
export type Hijack =
  | { readonly kind: "open"; readonly socket: Duplex; readonly head: Buffer; readonly type: string }
  | { readonly kind: "refused"; readonly answer: Answer };

export interface Upstream extends Disposable {
  ask(question: Question): Promise<Answer>;
  /** The answer as it comes, over a connection of its own. */
  open(question: Question): Promise<IncomingMessage>;
  hijack(question: Question): Promise<Hijack>;
}

const SOCKETS_MAX = 32;
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

function away(cause: Error): FairleadError {
  return new FairleadError(wardenErrors["docker-engine-away"], "the engine does not answer", {
    cause,
  });
}

function readAnswer(message: IncomingMessage): Promise<Answer> {
  const { statusCode: status = 0, headers } = message;
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  return new Promise((resolve, reject) => {
    message.on("data", (chunk: Buffer) => {
      sizeBytes += chunk.length;
      chunks.push(chunk);
      if (sizeBytes > ANSWER_BYTES_MAX) message.destroy(new Error("its answer has no end"));
    });
    message.on("error", (error) => reject(away(error)));
    message.on("end", () => {
      const [first = Buffer.alloc(0)] = chunks;
      const bytes = chunks.length > 1 ? Buffer.concat(chunks) : first;
      resolve({ status, headers, text: bytes.toString("utf8") });
    });
  });
}

/** Makes it; nothing is sent before the first question. */
export function createUpstream(socketPath: string): Upstream {
  const kept = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });
  const limits = { connectionsMax: SOCKETS_MAX, answerBytesMax: ANSWER_BYTES_MAX };
  const questions = createQuestions(socketPath, limits);

  function send(
    question: Question,
    agent: Agent | false,
    more: Record<string, string> = {},
  ): ClientRequest {
    const { method, path, json, tar, decision, signal } = question;
    const body = json === undefined ? undefined : Buffer.from(JSON.stringify(json));
    const headers: Record<string, string> = { host: "docker", ...more };
    if (decision !== undefined) headers["x-fairlead-decision"] = decision;
    if (body !== undefined) {
      headers["content-type"] = "application/json";
      headers["content-length"] = String(body.length);
    } else if (tar !== undefined) headers["content-type"] = "application/x-tar";
    else if (method !== "GET" && method !== "HEAD") headers["content-length"] = "0";
    const request = sendRequest({
      socketPath,
      method,
      path,
      headers,
      agent,
      ...(signal === undefined ? {} : { signal }),
    });
    if (tar === undefined) request.end(body);
    else pipeline(tar, request).catch(() => undefined);
    return request;
  }

  function receive(request: ClientRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      request.once("response", resolve);
      request.once("error", (error) => reject(away(error)));
    });
  }

  return {
    async ask(question) {
      const { method, path } = question;
      // What writes is never asked twice, so it goes the way that does not have to.
      if (method !== "GET" && method !== "HEAD")
        return readAnswer(await receive(send(question, kept)));
      return questions.ask({ method, path }).catch((error: Error) => {
        throw away(error);
      });
    },
    open: (question) => receive(send(question, false)),
    hijack: (question) =>
      new Promise((resolve, reject) => {
        const request = send(question, false, { connection: "Upgrade", upgrade: "tcp" });
        request.once("error", (error) => reject(away(error)));
        request.once("upgrade", (message, socket, head) =>
          resolve({ kind: "open", socket, head, type: message.headers["content-type"] ?? "" }),
        );
        request.once("response", (message) => {
          readAnswer(message).then((answer) => resolve({ kind: "refused", answer }), reject);
        });
      }),
    [Symbol.dispose]() {
      kept.destroy();
      questions[Symbol.dispose]();
    },
  };
}
