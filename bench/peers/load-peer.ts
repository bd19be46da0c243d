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
  "fairlead-mtls": async () => (await import("./fairlead.ts")).peer,
  "fairlead-unbatched": async () => (await import("./fairlead.ts")).unbatched,
  "fairlead-streaming": async () => (await import("./techniques.ts")).streaming,
  "fairlead-unary": async () => (await import("./techniques.ts")).unary,
  "fairlead-compressed": async () => (await import("./techniques.ts")).compressed,
  "fairlead-uncompressed": async () => (await import("./techniques.ts")).uncompressed,
  "link-kept": async () => (await import("./links.ts")).kept,
  "link-redialled": async () => (await import("./links.ts")).redialled,
};

/** Loads a peer and what it needs. Throws when there is none of that name. */
export async function loadPeer(name: string): Promise<Peer> {
  const load = PEERS[name];
  if (load === undefined) throw new Error(`there is no peer "${name}"`);
  return load();
}
