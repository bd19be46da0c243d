// SPDX-License-Identifier: Apache-2.0
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import type { Logger } from "#base/logger.ts";
import type { Endpoint } from "./exchange.ts";
import type { MessageHandler } from "./handle-message.ts";

/** Room for a burst of some thousand questions while the process is busy. */
const BUFFER_BYTES = 1_048_576;

export interface UdpListener {
  readonly port: number;
  /** Answers that are still awaited are not sent any more. */
  readonly close: () => Promise<void>;
}

/** Answers questions that come as datagrams. Rejects with the socket's error when it cannot listen. */
export async function listenUdp(
  endpoint: Endpoint,
  handler: MessageHandler,
  logger: Logger,
): Promise<UdpListener> {
  const isSix = isIPv6(endpoint.address);
  const socket = createSocket({
    type: isSix ? "udp6" : "udp4",
    ipv6Only: isSix,
    recvBufferSize: BUFFER_BYTES,
    sendBufferSize: BUFFER_BYTES,
    // Answers go to addresses, never to names.
    lookup: (address, _, callback) => callback(null, address, isSix ? 6 : 4),
  });
  socket.on("message", (bytes, { address, port }) => {
    const reply = handler.handle(bytes, address, "udp");
    if (reply instanceof Promise) void reply.then((answer) => send(answer, port, address));
    else send(reply, port, address);
  });
  let open = true;
  function send(answer: Buffer | undefined, port: number, address: string): void {
    // A client that cannot be reached asks again; there is nobody else to tell.
    if (answer !== undefined && open && port > 0) socket.send(answer, port, address, ignore);
  }
  try {
    // Waited for from before: without a look-up it may listen before `bind` returns.
    const listening = once(socket, "listening");
    socket.bind(endpoint.port, endpoint.address);
    await listening;
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.on("error", (error) =>
    logger.warn("the DNS socket had an error", { error: error.message }),
  );
  return {
    port: socket.address().port,
    async close() {
      // First: an answer that comes between closing and closed has no socket.
      open = false;
      const closed = once(socket, "close");
      socket.close();
      await closed;
    },
  };
}

function ignore(): void {}
