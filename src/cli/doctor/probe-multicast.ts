// SPDX-License-Identifier: Apache-2.0
// Whether a datagram to a group comes back on an interface: sent for real, on a port that nobody else has.
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";

const PATIENCE_MS = 1_000;
const REPEAT_MS = 200;

/** Milliseconds until it came back, or why it did not. Never throws. */
export function probeMulticast(
  group: string,
  interfaceAddress: string,
): Promise<number | { readonly problem: string }> {
  const mark = randomBytes(16);
  const beganMs = performance.now();
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    const timers: NodeJS.Timeout[] = [];
    const end = (found: number | { readonly problem: string }): void => {
      for (const timer of timers) clearInterval(timer);
      socket.removeAllListeners("message");
      socket.close();
      resolve(found);
    };
    const fail = (error: Error): void => end({ problem: error.message });
    socket.once("error", fail);
    socket.on("message", (bytes) => {
      if (bytes.equals(mark)) end(performance.now() - beganMs);
    });
    socket.bind(0, () => {
      try {
        socket.addMembership(group, interfaceAddress);
        socket.setMulticastInterface(interfaceAddress);
        socket.setMulticastLoopback(true);
        socket.setMulticastTTL(0);
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      // A firewall of this host answers with an error, which is no reason to stop asking.
      const send = (): void => socket.send(mark, socket.address().port, group, () => undefined);
      send();
      timers.push(
        setInterval(send, REPEAT_MS),
        setTimeout(
          () => end({ problem: `nothing came back within ${PATIENCE_MS} ms` }),
          PATIENCE_MS,
        ),
      );
    });
  });
}
