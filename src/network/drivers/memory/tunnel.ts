// SPDX-License-Identifier: Apache-2.0
// A host's encrypting device in memory: the contract in its simplest form, for tests of what stands above it.
import { FairleadError } from "#base/errors.ts";
import { networkErrors } from "#network/errors.ts";
import { formatEndpoint, planTunnel, selectPeers } from "#network/plan-tunnel.ts";
import type { Tunnel, TunnelFact } from "#network/tunnel.ts";

/** A device that tests look at and spoil. */
export interface MemoryTunnel {
  readonly tunnel: Tunnel;
  readonly devices: Map<string, TunnelFact>;
  /** Whether WireGuard is missing. */
  lacking: boolean;
}

/** Makes a host without any. */
export function createMemoryTunnel(): MemoryTunnel {
  const devices = new Map<string, TunnelFact>();
  const host = { devices, lacking: false };
  const tunnel: Tunnel = {
    kind: "memory",
    observe: (device) => Promise.resolve(devices.get(device)),
    // oxlint-disable-next-line typescript/require-await -- a driver rejects and never throws
    async apply(spec) {
      if (host.lacking) throw new FairleadError(networkErrors["tunnel-tools"], "wg cannot be run");
      const { device, publicKey, port, mtu } = spec;
      const changes = planTunnel(spec, devices.get(device), 0);
      const peers = selectPeers(spec).map((peer) => ({
        publicKey: peer.publicKey,
        address: peer.address,
        endpoint: formatEndpoint(peer.endpoint),
        handshakeAtMs: undefined,
        sentBytes: 0,
      }));
      const routes = peers.flatMap(({ address }) => address ?? []);
      const made = {
        device,
        way: "kernel",
        publicKey,
        port,
        mtu,
        set: true,
        peers,
        routes,
      } as const;
      devices.set(device, made);
      return { changes, fact: made };
    },
    remove: (device) => Promise.resolve(devices.delete(device)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return Object.assign(host, { tunnel });
}
