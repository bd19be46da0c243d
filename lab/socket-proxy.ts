// SPDX-License-Identifier: Apache-2.0
// A witness between Fairlead and its engine: passes everything on byte by byte, notes every request, and can hang or
// refuse chosen ones.
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { rmSync } from "node:fs";

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  /** Value of X-Fairlead-Decision. */
  readonly decision: string | undefined;
  readonly atMs: number;
  /** 0 until the engine has answered. */
  status: number;
}

export interface SocketProxy extends AsyncDisposable {
  readonly socketPath: string;
  readonly endpoint: string;
  readonly requests: readonly SeenRequest[];
  /** Requests that are neither GET nor HEAD. */
  writes(): readonly SeenRequest[];
  /** From now on requests that match get no answer until `release`. */
  hang(matches: (seen: SeenRequest) => boolean): void;
  release(): void;
  forget(): void;
}

/** Starts one in front of `enginePath`, listening at `path`. */
export async function createSocketProxy(enginePath: string, path: string): Promise<SocketProxy> {
  const requests: SeenRequest[] = [];
  let hangs: ((seen: SeenRequest) => boolean) | undefined;
  let waiting: (() => void)[] = [];

  function note(incoming: IncomingMessage): SeenRequest {
    const header = incoming.headers["x-fairlead-decision"];
    const decision = typeof header === "string" ? header : undefined;
    const seen = {
      method: incoming.method ?? "",
      path: incoming.url ?? "",
      decision,
      atMs: Date.now(),
      status: 0,
    };
    requests.push(seen);
    return seen;
  }

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const seen = note(incoming);
    if (hangs?.(seen) === true) await new Promise<void>((resolve) => waiting.push(resolve));
    const { method, url, headers } = incoming;
    const sent = request({ socketPath: enginePath, method, path: url, headers }, (answer) => {
      seen.status = answer.statusCode ?? 0;
      outgoing.writeHead(seen.status, answer.headers);
      outgoing.flushHeaders();
      answer.pipe(outgoing);
      answer.on("error", () => outgoing.destroy());
    });
    sent.on("error", () => outgoing.destroy());
    outgoing.on("close", () => sent.destroy());
    incoming.pipe(sent);
  }

  const server = createServer((incoming, outgoing) => void pass(incoming, outgoing));
  server.requestTimeout = 0;
  server.timeout = 0;
  server.on("upgrade", (incoming, socket, head) => {
    const seen = note(incoming);
    const engine = connect(enginePath, () => {
      const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
      for (let i = 0; i < incoming.rawHeaders.length; i += 2)
        lines.push(`${incoming.rawHeaders[i]}: ${incoming.rawHeaders[i + 1]}`);
      engine.write(`${lines.join("\r\n")}\r\n\r\n`);
      engine.write(head);
      seen.status = 101;
      socket.pipe(engine).pipe(socket);
    });
    engine.on("error", () => socket.destroy());
    socket.on("error", () => engine.destroy());
  });
  rmSync(path, { force: true });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    socketPath: path,
    endpoint: `unix://${path}`,
    requests,
    writes: () => requests.filter((seen) => seen.method !== "GET" && seen.method !== "HEAD"),
    hang(matches) {
      hangs = matches;
    },
    release() {
      hangs = undefined;
      for (const go of waiting) go();
      waiting = [];
    },
    forget: () => void requests.splice(0),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
