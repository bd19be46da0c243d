// SPDX-License-Identifier: Apache-2.0
// Members of a group on the loopback interface: real datagrams, and nobody outside hears them.
import { silentLogger } from "#base/logger.ts";
import { joinMulticast } from "#discovery/multicast/join-multicast.ts";
import type { MulticastOptions } from "#discovery/multicast/multicast-options.ts";
import type { MulticastDiscovery } from "#discovery/multicast/start-member.ts";
import { createTestClock } from "./test-clock.ts";

export const SECRET: Uint8Array = Buffer.from("a secret of the tests, long enough");

/** A group and port of this process alone. */
export function chooseGroup(): { readonly group: string; readonly port: number } {
  const chance = (): number => Math.floor(Math.random() * 250) + 1;
  return { group: `239.255.${chance()}.${chance()}`, port: 20_000 + chance() * 40 + chance() };
}

/** Joins on 127.0.0.1. */
export function joinLoopback(
  sender: string,
  options: Partial<MulticastOptions> & { readonly group: string; readonly port: number },
  skewMs = 0,
): Promise<MulticastDiscovery> {
  return joinMulticast(
    { sender, secret: SECRET, interfaceAddress: "127.0.0.1", heartbeatMs: 300, ...options },
    { clock: createTestClock(skewMs), random: Math.random, logger: silentLogger },
  );
}
