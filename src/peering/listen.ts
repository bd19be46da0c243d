// SPDX-License-Identifier: Apache-2.0
// Ports that other hosts connect to: opened for nobody else, and closed at once.
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { FairleadError } from "#base/errors.ts";
import { peeringErrors } from "./errors.ts";

/** An IP address of this host and a TCP port; port 0 takes a free one. */
export interface ListenPlace {
  readonly address: string;
  readonly port: number;
}

/** Resolves once others can connect. Throws FL1201 `peering-listen`. */
export async function listen(server: Server, { address, port }: ListenPlace): Promise<void> {
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

/** Closes the port, and cuts the connections that are open. Resolves when all is closed. */
export async function stopListening(server: Server, open: Iterable<Socket>): Promise<void> {
  const closed = once(server, "close");
  server.close();
  for (const socket of open) socket.destroy();
  await closed;
}
