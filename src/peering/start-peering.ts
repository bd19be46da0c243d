// SPDX-License-Identifier: Apache-2.0
// Nodes ask each other by HTTP over mutual TLS.
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { FairleadError } from "#base/errors.ts";
import { createAnswering, createConnecting } from "./answering.ts";
import { createAsking } from "./asking.ts";
import { listen, stopListening, type ListenPlace } from "./listen.ts";
import type { PeerCredentials, PeerHandler, Peering, Refusal } from "./peering.ts";
import { createKnownPeers, makeSecureContext, makeServerTls } from "./tls.ts";

export interface PeeringOptions extends ListenPlace {
  readonly credentials: PeerCredentials;
  /** Called for each that is turned away because it is nobody of the fleet. */
  readonly onRefused?: (refusal: Refusal) => void;
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

/** Opens the port; disposing cuts what is under way. Throws FL1201 `peering-listen`. */
export async function startPeering(options: PeeringOptions): Promise<Peering> {
  const { credentials, onRefused } = options;
  const counters = { answered: 0, refused: 0 };
  const refuse = (): void => void counters.refused++;
  function turnAway(socket: Socket, reason: string): void {
    refuse();
    onRefused?.({ address: socket.remoteAddress ?? "", reason });
  }
  const handlers = new Map<string, PeerHandler>();
  const known = createKnownPeers(credentials);
  const answering = {
    handlers,
    async identify(socket: Socket) {
      if (!(socket instanceof TLSSocket)) throw new Error("every connection is TLS");
      try {
        return await known.identify(socket);
      } catch (thrown) {
        turnAway(socket, FairleadError.from(thrown).message);
        throw thrown;
      }
    },
    onAnswered: () => void counters.answered++,
  };
  const server = createServer(
    {
      ...makeServerTls(credentials),
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
  server.on("drop", refuse).on("tlsClientError", (error, socket) => {
    const { authorizationError: because } = socket;
    turnAway(socket, because === undefined || because === null ? error.message : String(because));
  });
  await listen(server, options);
  server.on("error", () => undefined);
  const stop = credentials.onChange(() => {
    server.setSecureContext(makeSecureContext(credentials));
    known.expel();
  });
  return {
    port: (server.address() as AddressInfo).port,
    answer: (path, handler) => void handlers.set(path, handler),
    ...createAsking({ credentials, known }),
    readCounters: () => ({ ...counters }),
    async [Symbol.asyncDispose]() {
      stop();
      await stopListening(server, open);
    },
  };
}
