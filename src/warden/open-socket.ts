// SPDX-License-Identifier: Apache-2.0
// A guarded socket: HTTP as strict as Node reads it, each request by its route or refused.
import { chmod, mkdir, rm } from "node:fs/promises";
import { createServer, ServerResponse, type IncomingMessage, type Server } from "node:http";
import { dirname } from "node:path";
import type { Duplex } from "node:stream";
import { FairleadError, type Code } from "#base/errors.ts";
import type { Desk } from "./call.ts";
import { deny } from "./deny.ts";
import { wardenErrors } from "./errors.ts";
import { noteTakeover } from "./hijack.ts";
import { drainShortly } from "./limit-bytes.ts";
import { parseTarget } from "./parse-target.ts";
import { explainRefusal, findRoute, ROUTES, TAKEOVERS, type Route } from "./routes.ts";
import { createUpstream } from "./upstream.ts";
import type { DockerSocket, DockerSocketOptions } from "./warden.ts";

const CALLS_MAX = 64;
const CONNECTIONS_MAX = 128;
const HEAD_BYTES_MAX = 16 * 1024;
/** Everybody in the container may use it; who sees it at all is said by the mount. */
const SOCKET_MODE = 0o666;

const STATUS: Partial<Readonly<Record<Code, number>>> = {
  permission_denied: 403,
  invalid_argument: 400,
  not_found: 404,
  resource_exhausted: 429,
  unavailable: 503,
};

function createTurns(): Desk["inTurn"] {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine.catch(() => undefined);
    return mine;
  };
}

/** Docker's form of an error; the code leads to `fairlead explain`. */
function answerError(response: ServerResponse, error: FairleadError): number {
  const status = STATUS[error.code] ?? 500;
  if (response.headersSent) response.destroy();
  else {
    const body = Buffer.from(JSON.stringify({ message: `${error.kind.id}: ${error.message}` }));
    response.writeHead(status, {
      "content-type": "application/json",
      "content-length": body.length,
      // A connection that is closed while the other side still sends costs it the answer: that of `docker build`.
      ...(response.req.complete ? { connection: "close" } : {}),
    });
    response.end(body);
  }
  return status;
}

const GONE = new Error("the agent has gone");

/** Made only for who asks: it costs a short question more than the question. */
function watchLeaving(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  if (response.destroyed) gone.abort(GONE);
  else
    response.once("close", () => {
      if (!response.writableFinished) gone.abort(GONE);
    });
  return gone.signal;
}

/** Answers requests for one desk. */
function createAnswerer(desk: Desk) {
  let calls = 0;

  async function route(
    request: IncomingMessage,
    response: ServerResponse,
    routes: readonly Route[],
    noteName: (name: string) => void,
  ): Promise<number | void> {
    const method = request.method ?? "";
    const target = parseTarget(request.url ?? "");
    const path = `/${target.segments.join("/")}`;
    noteName(`${method} ${path}`);
    const found = findRoute(routes, method, target.segments);
    if (found === undefined) return deny(explainRefusal(method, path));
    if (calls > CALLS_MAX)
      throw new FairleadError(wardenErrors["docker-busy"], "too many requests at a time");
    const name = `${method} ${found.route.path}`;
    return found.route.handle({
      ...desk,
      name,
      target,
      place: found.place,
      request,
      response,
      get signal() {
        return watchLeaving(response);
      },
    });
  }

  return async (request: IncomingMessage, response: ServerResponse, routes: readonly Route[]) => {
    let name = `${request.method ?? ""} (unreadable)`;
    calls++;
    try {
      const status = await route(request, response, routes, (read) => (name = read));
      if (typeof status === "number") desk.recorder.note(desk.owner, name, status);
    } catch (thrown) {
      const error = FairleadError.from(thrown, wardenErrors["docker-engine-away"]);
      const status = answerError(response, error);
      desk.recorder.note(desk.owner, name, status, `${error.kind.id}: ${error.message}`);
      if (!request.complete) drainShortly(request);
    } finally {
      calls--;
    }
  };
}

async function listenAt(server: Server, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await rm(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
  await chmod(path, SOCKET_MODE);
}

/** Opens one. Throws what listening throws. */
export async function openDockerSocket(options: DockerSocketOptions): Promise<DockerSocket> {
  const { path, owner, limits, recorder } = options;
  const upstream = createUpstream(options.enginePath);
  const respond = createAnswerer({ owner, limits, recorder, upstream, inTurn: createTurns() });
  const sockets = new Set<Duplex>();
  const server = createServer({ maxHeaderSize: HEAD_BYTES_MAX, keepAliveTimeout: 60_000 });
  server.maxConnections = CONNECTIONS_MAX;
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("request", (request, response) => void respond(request, response, ROUTES));
  server.on("upgrade", (request, socket, head) => {
    const response = new ServerResponse(request);
    if ("writable" in socket) response.assignSocket(socket as never);
    response.once("finish", () => socket.end());
    noteTakeover(request, { socket, head });
    void respond(request, response, TAKEOVERS);
  });
  await listenAt(server, path);
  return {
    path,
    owner,
    limits,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
      upstream[Symbol.dispose]();
      await rm(path, { force: true });
    },
  };
}
