// SPDX-License-Identifier: Apache-2.0
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { FairleadError } from "#base/errors.ts";
import { discoveryErrors } from "#discovery/errors.ts";
import type { CheckedOptions } from "./multicast-options.ts";

/** A small buffer: of a flood the kernel drops what would only be thrown away here. */
const BUFFER_BYTES = 262_144;

/** A socket in the group, heard by all others of this host too. Throws `multicast-unavailable`. */
export async function openGroupSocket(options: CheckedOptions): Promise<Socket> {
  const { group, port, interfaceAddress, hops } = options;
  const socket = createSocket({
    type: "udp4",
    reuseAddr: true,
    recvBufferSize: BUFFER_BYTES,
    lookup: (address, _, callback) => callback(null, address, 4),
  });
  try {
    const listening = once(socket, "listening");
    // Bound to the group itself: what is sent to this host alone does not come in.
    socket.bind(port, group);
    await listening;
    socket.addMembership(group, interfaceAddress);
    if (interfaceAddress !== undefined) socket.setMulticastInterface(interfaceAddress);
    socket.setMulticastTTL(hops);
    socket.setMulticastLoopback(true);
    return socket;
  } catch (error) {
    socket.close();
    throw new FairleadError(
      discoveryErrors["multicast-unavailable"],
      `The group ${group} cannot be joined`,
      { cause: error, facts: { group, port, interface: interfaceAddress ?? "by route" } },
    );
  }
}
