// SPDX-License-Identifier: Apache-2.0
import { createSocket, type Socket, type SocketOptions } from "node:dgram";
import { once } from "node:events";
import { FairleadError } from "#base/errors.ts";
import { discoveryErrors } from "#discovery/errors.ts";
import type { CheckedOptions } from "./multicast-options.ts";

export interface GroupSockets {
  /** Hears the group, and nothing that is sent to this host alone. */
  readonly ear: Socket;
  /** Connected to the group: what is sent to it from elsewhere never comes in. */
  readonly mouth: Socket;
}

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

/** Two sockets in the group, heard by all others of this host too. Throws `multicast-unavailable`. */
export async function openGroupSockets(options: CheckedOptions): Promise<GroupSockets> {
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
    return { ear, mouth };
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
