// SPDX-License-Identifier: Apache-2.0
import type { Peer } from "./peer.ts";

/** What is measured, by the name that reports give it. */
const PEERS: Readonly<Record<string, () => Promise<Peer>>> = {
  fairlead: async () => (await import("./fairlead.ts")).peer,
  nats: async () => (await import("./nats.ts")).peer,
  tcp: async () => (await import("./tcp.ts")).peer,
  "tcp-write": async () => (await import("./tcp.ts")).writing,
  "grpc-js": async () => (await import("./grpc-js.ts")).peer,
  "grpc-js-batched": async () => (await import("./grpc-js.ts")).batched,
  mqtt: async () => (await import("./mqtt.ts")).peer,
  moleculer: async () => (await import("./moleculer.ts")).peer,
};

/** Loads a peer and what it needs. Throws when there is none of that name. */
export async function loadPeer(name: string): Promise<Peer> {
  const load = PEERS[name];
  if (load === undefined) throw new Error(`there is no peer "${name}"`);
  return load();
}
