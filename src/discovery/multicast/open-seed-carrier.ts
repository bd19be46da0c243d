// SPDX-License-Identifier: Apache-2.0
// Datagrams to named places instead of to a group, for networks that multicast does not pass. Who is written to by
// somebody with the key writes back: of two nodes, one has to name the other.
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { isIPv4 } from "node:net";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { discoveryErrors } from "#discovery/errors.ts";
import type { Carrier } from "./carrier.ts";

/** Where a node is asked for its agents. */
export interface SeedPlace {
  /** A name or an IPv4 address. */
  readonly host: string;
  readonly port: number;
}

export interface SeedCarrierOptions {
  /** IPv4 address and port to hear on; 0.0.0.0 for all. */
  readonly listen: SeedPlace;
  readonly seeds: readonly SeedPlace[];
}

interface Place {
  readonly address: string;
  readonly port: number;
}

const RESOLVE_MS = 30_000;
/** Longer than three beats of the slowest heartbeat. */
const FORGET_MS = 180_000;
const LEARNED_MAX = 1_024;

async function resolve({ host, port }: SeedPlace): Promise<Place | undefined> {
  if (isIPv4(host)) return { address: host, port };
  try {
    return { address: (await lookup(host, { family: 4 })).address, port };
  } catch {
    // A host that has no name yet is asked for again.
    return undefined;
  }
}

/** Opens the socket. Throws `multicast-unavailable` when the place is taken. */
export async function openSeedCarrier(
  { listen, seeds }: SeedCarrierOptions,
  clock: Clock,
): Promise<Carrier> {
  const socket = createSocket({
    type: "udp4",
    lookup: (address, _, callback) => callback(null, address, 4),
  });
  const closing = new AbortController();
  const learned = new Map<string, Place & { readonly heardMs: number }>();
  let resolved: readonly Place[] = [];
  const keyOf = ({ address, port }: Place): string => `${address}:${port}`;

  async function resolveAll(): Promise<void> {
    const found = await Promise.all(seeds.map(resolve));
    // One that cannot be looked up now may still be where it was.
    resolved = found.flatMap((place, at) => place ?? resolved[at] ?? []);
  }

  async function keepResolved(): Promise<void> {
    while (!closing.signal.aborted) {
      await clock.sleep(RESOLVE_MS, closing.signal).catch(() => undefined);
      if (!closing.signal.aborted) await resolveAll();
      const forgetMs = clock.monotonicMs() - FORGET_MS;
      for (const [key, { heardMs }] of learned) if (heardMs < forgetMs) learned.delete(key);
    }
  }

  /** A host that is away is no error here. */
  function sendTo(bytes: Buffer, { address, port }: Place, done: () => void): void {
    socket.send(bytes, port, address, done);
  }

  try {
    const listening = once(socket, "listening");
    socket.bind({ port: listen.port, address: listen.host, exclusive: true });
    await listening;
  } catch (error) {
    socket.close();
    throw new FairleadError(
      discoveryErrors["multicast-unavailable"],
      `Seeds cannot be heard on ${listen.host}:${listen.port}`,
      { cause: error, facts: { address: listen.host, port: listen.port } },
    );
  }
  await resolveAll();
  const keeping = keepResolved();
  return {
    ear: socket,
    localAddress: listen.host,
    canBeDeaf: false,
    send(bytes, done) {
      const places = new Map([...resolved, ...learned.values()].map((one) => [keyOf(one), one]));
      let left = places.size;
      if (left === 0) done();
      for (const place of places.values()) sendTo(bytes, place, () => --left === 0 && done());
    },
    noteSource(address, port) {
      const key = keyOf({ address, port });
      if (learned.size >= LEARNED_MAX && !learned.has(key)) return;
      learned.set(key, { address, port, heardMs: clock.monotonicMs() });
    },
    onError: (listener) => void socket.on("error", listener),
    async close() {
      closing.abort();
      await keeping;
      const closed = once(socket, "close");
      socket.close();
      await closed;
    },
  };
}
