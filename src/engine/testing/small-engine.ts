// SPDX-License-Identifier: Apache-2.0
// A server that says of an engine what a node asks for: containers that are said to be there, and events that never come. It ends
// as a process does that is killed, with all its connections, and starts again at the same socket.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A container that runs, in a network of its own. */
export interface SmallContainer {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly address: string;
}

export interface SmallEngine extends AsyncDisposable {
  readonly socketPath: string;
  /** What it says is there; may be changed. */
  readonly containers: SmallContainer[];
  /** Connections that are open, and those of them over which events are to come. */
  readonly connections: ReadonlySet<Socket>;
  readonly followers: ReadonlySet<ServerResponse>;
  /** Called before each answer; what it does with the answer itself is all that is answered. */
  onQuestion: (path: string, response: ServerResponse) => void | Promise<void>;
  start(): Promise<void>;
  kill(): Promise<void>;
}

const TIME = "2026-01-01T00:00:00Z";

function describe({ id, labels, address }: SmallContainer): object {
  return {
    Id: id,
    Name: `/${id}`,
    Created: TIME,
    Image: "sha256:1",
    Config: { Image: "busybox", Labels: labels },
    State: { Status: "running", ExitCode: 0, StartedAt: TIME, FinishedAt: "0001-01-01T00:00:00Z" },
    HostConfig: {},
    NetworkSettings: { Networks: { shop: { IPAddress: address } } },
  };
}

/** Starts it. */
export async function startSmallEngine(): Promise<SmallEngine> {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-small-engine-"));
  const socketPath = join(directory, "engine.sock");
  const containers: SmallContainer[] = [];
  const connections = new Set<Socket>();
  const followers = new Set<ServerResponse>();
  let server: Server | undefined;

  function find(path: string): unknown {
    if (path === "/containers/json") return containers.map(({ id }) => ({ Id: id }));
    const [, id] = /^\/containers\/([^/]+)\/json$/.exec(path) ?? [];
    const container = containers.find((one) => one.id === id);
    if (container !== undefined) return describe(container);
    if (/^\/(networks|images\/json)$/.test(path)) return [];
    return /^\/(_ping|version|info|volumes)$/.test(path) ? {} : undefined;
  }

  async function answer({ url = "" }: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = url.replace(/^\/v[\d.]+/, "");
    await engine.onQuestion(path, response);
    if (response.writableEnded) return;
    if (/^\/events(?!.*until)/.test(path)) {
      followers.add(response);
      response.once("close", () => followers.delete(response));
      response.writeHead(200).flushHeaders();
      return;
    }
    const found = find(path.replace(/\?.*/, ""));
    response.writeHead(found === undefined ? 404 : 200, { "Api-Version": "1.41" });
    response.end(JSON.stringify(found ?? { message: "no such thing" }));
  }

  const engine: SmallEngine = {
    socketPath,
    containers,
    connections,
    followers,
    onQuestion: () => undefined,
    async start() {
      // As the engine, it keeps what is kept alive.
      const started = createServer({ keepAliveTimeout: 0 }, (...asked) => void answer(...asked));
      started.on("connection", (socket: Socket) => {
        connections.add(socket);
        socket.once("close", () => connections.delete(socket));
      });
      server = started.listen(socketPath);
      await once(server, "listening");
    },
    async kill() {
      const killed = server;
      if (killed === undefined) return;
      server = undefined;
      const closed = once(killed, "close");
      killed.close();
      killed.closeAllConnections();
      await closed;
    },
    async [Symbol.asyncDispose]() {
      await engine.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await engine.start();
  return engine;
}
