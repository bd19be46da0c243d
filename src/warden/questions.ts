// SPDX-License-Identifier: Apache-2.0
// Short questions to the engine over a few connections that are kept. Written by hand because measuring said so: an
// `http.request` costs a list of three containers half of what the guarded socket adds to it.
import { connect, type Socket } from "node:net";
import { AnswerReader, type HttpAnswer } from "./http-answer.ts";

/** What only reads: it may be asked twice. */
export interface ShortQuestion {
  readonly method: "GET" | "HEAD";
  readonly path: string;
}

export interface Questions extends Disposable {
  /** Rejects when the engine does not answer. Asks again when a kept connection was closed meanwhile. */
  ask(question: ShortQuestion): Promise<HttpAnswer>;
}

interface Limits {
  readonly connectionsMax: number;
  readonly answerBytesMax: number;
}

/** A connection of an earlier question that the engine had closed when it was used again. */
class StaleConnection extends Error {}

const PATH = /^\/[\x21-\x7e]*$/;

function encode({ method, path }: ShortQuestion): string {
  if (!PATH.test(path)) throw new Error("a path with blanks or control characters");
  return `${method} ${path} HTTP/1.1\r\nhost: docker\r\n\r\n`;
}

function askOver(
  socket: Socket,
  question: ShortQuestion,
  { answerBytesMax, isKept }: Limits & { readonly isKept: boolean },
): Promise<HttpAnswer> {
  const reader = new AnswerReader(question.method, answerBytesMax);
  const text = encode(question);
  return new Promise((resolve, reject) => {
    let isSilent = true;
    const done = (): void => {
      socket.off("data", onData).off("error", onError).off("close", onClose);
    };
    const onError = (error: Error): void => {
      done();
      socket.destroy();
      reject(isKept && isSilent ? new StaleConnection(error.message) : error);
    };
    const onClose = (): void => onError(new Error("it closed the connection"));
    const onData = (chunk: Buffer): void => {
      isSilent = false;
      try {
        const answer = reader.take(chunk);
        if (answer === undefined) return;
        done();
        resolve(answer);
      } catch (thrown) {
        onError(thrown instanceof Error ? thrown : new Error(String(thrown)));
      }
    };
    socket.on("data", onData).on("error", onError).on("close", onClose);
    socket.write(text);
  });
}

/** Asks nothing before the first question. */
export function createQuestions(socketPath: string, limits: Limits): Questions {
  const idle: Socket[] = [];
  const open = new Set<Socket>();
  const waiting: (() => void)[] = [];
  let isClosed = false;

  function dial(): Socket {
    const socket = connect(socketPath);
    open.add(socket);
    socket.once("close", () => {
      open.delete(socket);
      const at = idle.indexOf(socket);
      if (at !== -1) idle.splice(at, 1);
      waiting.shift()?.();
    });
    // One that nobody asks over may end at any time.
    socket.on("error", () => undefined);
    return socket;
  }

  async function take(): Promise<{ readonly socket: Socket; readonly isKept: boolean }> {
    for (;;) {
      const kept = idle.pop();
      if (kept !== undefined && !kept.destroyed) return { socket: kept, isKept: true };
      if (open.size < limits.connectionsMax) return { socket: dial(), isKept: false };
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  }

  async function askOnce(question: ShortQuestion): Promise<HttpAnswer> {
    const { socket, isKept } = await take();
    const answer = await askOver(socket, question, { ...limits, isKept });
    if (answer.isKept && !isClosed) {
      idle.push(socket);
      waiting.shift()?.();
    } else socket.destroy();
    return answer;
  }

  return {
    async ask(question) {
      for (;;) {
        try {
          return await askOnce(question);
        } catch (thrown) {
          if (!(thrown instanceof StaleConnection)) throw thrown;
        }
      }
    },
    [Symbol.dispose]() {
      isClosed = true;
      for (const socket of open) socket.destroy();
    },
  };
}
