// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { createServer, isIPv6, type Server, type Socket } from "node:net";
import { sourceOf } from "#datagram/source-limiter.ts";
import { frame, unframe, type Endpoint } from "./exchange.ts";
import type { MessageHandler } from "./handle-message.ts";

export interface TcpLimits {
  /** Connections at once, of all sources and of one. */
  readonly connectionsMax: number;
  readonly connectionsPerSourceMax: number;
  /** A connection on which nothing comes for that long is closed. */
  readonly idleMs: number;
  /** A connection may be open that long, whatever comes. */
  readonly lifeMs: number;
}

export interface TcpListener {
  readonly server: Server;
  /** Ends all connections. */
  readonly close: () => Promise<void>;
}

/** Questions of one connection that may wait for upstream at once. */
const WAITING_MAX = 64;
const FRAME_BYTES_MAX = 2 + 65_535;

/** Answers the questions of one connection in the order in which their answers are there. */
function serveConnection(socket: Socket, source: string, handler: MessageHandler): void {
  let received: Buffer = Buffer.alloc(0);
  let waiting = 0;
  const send = (answer: Buffer | undefined): void => {
    // Who does not read what he asked for is not read from either.
    if (answer !== undefined && socket.writable && !socket.write(frame(answer))) socket.pause();
  };
  socket.on("drain", () => socket.resume());
  socket.on("data", (chunk: Buffer) => {
    const { messages, rest } = unframe(Buffer.concat([received, chunk]));
    received = Buffer.from(rest);
    if (received.length > FRAME_BYTES_MAX) socket.destroy();
    for (const message of messages) {
      const reply = waiting < WAITING_MAX ? handler.handle(message, source, "tcp") : undefined;
      if (reply instanceof Promise) {
        waiting++;
        void reply.then(send).finally(() => waiting--);
      } else if (reply === undefined) {
        socket.destroy();
        return;
      } else {
        send(reply);
      }
    }
  });
}

/** Answers questions that come over TCP. Rejects with the socket's error when it cannot listen. */
export async function listenTcp(
  endpoint: Endpoint,
  handler: MessageHandler,
  limits: TcpLimits,
): Promise<TcpListener> {
  const sockets = new Set<Socket>();
  const perSource = new Map<string, number>();
  const server = createServer({ noDelay: true }, (socket) => {
    const address = socket.remoteAddress ?? "";
    const source = sourceOf(address);
    const open = (perSource.get(source) ?? 0) + 1;
    socket.on("error", () => socket.destroy());
    if (sockets.size >= limits.connectionsMax || open > limits.connectionsPerSourceMax) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    perSource.set(source, open);
    const life = setTimeout(() => socket.destroy(), limits.lifeMs);
    socket.setTimeout(limits.idleMs, () => socket.destroy());
    socket.on("close", () => {
      clearTimeout(life);
      sockets.delete(socket);
      const left = (perSource.get(source) ?? 1) - 1;
      if (left === 0) perSource.delete(source);
      else perSource.set(source, left);
    });
    serveConnection(socket, address, handler);
  });
  server.listen({
    port: endpoint.port,
    host: endpoint.address,
    ipv6Only: isIPv6(endpoint.address),
  });
  await once(server, "listening");
  return {
    server,
    async close() {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}
