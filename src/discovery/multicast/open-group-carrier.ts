// SPDX-License-Identifier: Apache-2.0
import { createSocket, type Socket, type SocketOptions } from "node:dgram";
import { once } from "node:events";
import { FairleadError } from "#base/errors.ts";
import { discoveryErrors } from "#discovery/errors.ts";
import type { Carrier } from "./carrier.ts";
import type { CheckedOptions } from "./multicast-options.ts";

/** Small: of a flood the kernel drops what would only be thrown away here. */
const BUFFER_BYTES = 262_144;

const OPTIONS: SocketOptions = {
  type: "udp4",
  // There are only addresses here; and what waits for no look-up happens at once.
  lookup: (address, _, callback) => callback(null, address, 4),
};

async function bind(socket: Socket, port: number, address: string | undefined): Promise<void> {
  const listening = once(socket, "listening");
  socket.bind(port, address);
  await listening;
}

/** The two sockets as one. */
function joinSockets(ear: Socket, mouth: Socket): Carrier {
  return {
    ear,
    localAddress: mouth.address().address,
    canBeDeaf: true,
    send: (bytes, done) => mouth.send(bytes, done),
    noteSource: () => undefined,
    onError(listener) {
      ear.on("error", listener);
      mouth.on("error", listener);
    },
    async close() {
      const closed = Promise.all([once(ear, "close"), once(mouth, "close")]);
      ear.close();
      mouth.close();
      await closed;
    },
  };
}

/**
 * Two sockets in the group, heard by all others of this host too: one hears the group and nothing that is sent to this
 * host alone, one sends and hears nothing. Throws `multicast-unavailable`.
 */
export async function openGroupCarrier(options: CheckedOptions): Promise<Carrier> {
  const { group, port, interfaceAddress, hops } = options;
  const ear = createSocket({ ...OPTIONS, reuseAddr: true, recvBufferSize: BUFFER_BYTES });
  const mouth = createSocket(OPTIONS);
  try {
    await bind(ear, port, group);
    ear.addMembership(group, interfaceAddress);
    await bind(mouth, 0, interfaceAddress);
    if (interfaceAddress !== undefined) mouth.setMulticastInterface(interfaceAddress);
    mouth.setMulticastTTL(hops);
    mouth.setMulticastLoopback(true);
    const connected = once(mouth, "connect");
    mouth.connect(port, group);
    await connected;
    return joinSockets(ear, mouth);
  } catch (error) {
    ear.close();
    mouth.close();
    throw new FairleadError(
      discoveryErrors["multicast-unavailable"],
      `The group ${group} cannot be joined`,
      { cause: error, facts: { group, port, interface: interfaceAddress ?? "by route" } },
    );
  }
}
