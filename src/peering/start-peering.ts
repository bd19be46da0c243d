// SPDX-License-Identifier: Apache-2.0
// Nodes ask each other by HTTP over TLS that the fleet's key opens.
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { FairleadError } from "#base/errors.ts";
import { createAnswering, createConnecting } from "./answering.ts";
import { createAsking } from "./asking.ts";
import { peeringErrors } from "./errors.ts";
import type { PeerHandler, Peering } from "./peering.ts";
import { makeServerTls } from "./tls.ts";

export interface PeeringOptions {
  /** This node, as the others know it. */
  readonly id: string;
  /** IP address and TCP port to answer on; port 0 takes a free one. */
  readonly address: string;
  readonly port: number;
  /** The fleet's key: 16 bytes or more. */
  readonly secret: Uint8Array;
}

const CONNECTIONS_MAX = 1_024;
/** Of one address, so that a stranger cannot take the places of all. */
const CONNECTIONS_PER_ADDRESS_MAX = 32;
const HANDSHAKE_MS = 5_000;
const HEADERS_MS = 5_000;
const HEADERS_BYTES_MAX = 8_192;
/** A connection on which nothing moves for this long is given up. */
const IDLE_MS = 60_000;

/** Counts the connections of each address; those beyond the limit are cut at once. */
function limitAddresses(server: Server, onRefused: () => void): ReadonlySet<Socket> {
  const counts = new Map<string, number>();
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    const count = (counts.get(address) ?? 0) + 1;
    if (count > CONNECTIONS_PER_ADDRESS_MAX) {
      onRefused();
      socket.destroy();
      return;
    }
    counts.set(address, count);
    open.add(socket);
    socket.once("close", () => {
      open.delete(socket);
      const left = (counts.get(address) ?? 1) - 1;
      if (left === 0) counts.delete(address);
      else counts.set(address, left);
    });
  });
  return open;
}

async function listen(server: Server, { address, port }: PeeringOptions): Promise<void> {
  try {
    const listening = once(server, "listening");
    server.listen({ host: address, port, exclusive: true });
    await listening;
  } catch (cause) {
    throw new FairleadError(
      peeringErrors["peering-listen"],
      `nodes cannot connect to ${address}:${port}`,
      { cause, facts: { address, port } },
    );
  }
}

/** Opens the port; disposing cuts what is under way. Throws FL1201 `peering-listen`. */
export async function startPeering(options: PeeringOptions): Promise<Peering> {
  const { id, secret } = options;
  const counters = { answered: 0, refused: 0 };
  const refuse = (): void => void counters.refused++;
  const handlers = new Map<string, PeerHandler>();
  const names = new WeakMap<object, string>();
  const answering = {
    handlers,
    nameOf: (socket: object) => names.get(socket) ?? "",
    onAnswered: () => void counters.answered++,
  };
  const server = createServer(
    {
      ...makeServerTls(secret, id, (socket, name) => void names.set(socket, name)),
      handshakeTimeout: HANDSHAKE_MS,
      headersTimeout: HEADERS_MS,
      requestTimeout: HEADERS_MS,
      connectionsCheckingInterval: HEADERS_MS,
      maxHeaderSize: HEADERS_BYTES_MAX,
      keepAlive: true,
    },
    createAnswering(answering),
  );
  const connecting = createConnecting(answering);
  server.on("upgrade", (...asked) => void connecting(...asked));
  server.maxConnections = CONNECTIONS_MAX;
  server.timeout = IDLE_MS;
  const open = limitAddresses(server, refuse);
  server.on("drop", refuse).on("tlsClientError", refuse);
  await listen(server, options);
  server.on("error", () => undefined);
  return {
    port: (server.address() as AddressInfo).port,
    answer: (path, handler) => void handlers.set(path, handler),
    ...createAsking({ id, secret }),
    readCounters: () => ({ ...counters }),
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
