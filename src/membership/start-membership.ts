// SPDX-License-Identifier: Apache-2.0
// The detector on a UDP socket.
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import type { Clock, Random } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { createGate } from "#datagram/gate.ts";
import { createSealer } from "#datagram/seal.ts";
import { createDetector, TICK_MS, type Step } from "./detector.ts";
import { membershipErrors } from "./errors.ts";
import type { MemberChange, Membership, Peer } from "./membership.ts";
import { decodeMessage, encodeMessage, MEMBERSHIP, type Message } from "./messages.ts";
import { createPathProber } from "./path-prober.ts";
import { TIMING } from "./timing.ts";

export interface MembershipOptions {
  /** This node, as the others know it. */
  readonly id: string;
  readonly incarnation: number;
  /** Of its first datagram: above all that this life has sent before, by which others tell what is old. Default 0. */
  readonly firstSequence?: number;
  /** IP address and UDP port to answer on; port 0 takes a free one. */
  readonly address: string;
  readonly port: number;
  /** The fleet's key: 16 bytes or more. */
  readonly secret: Uint8Array;
}

export interface MembershipParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Datagrams a second that are believed of one source: a thousand nodes that all ask at once stay below. */
const PER_SECOND_MAX = 2_000;
/** A farewell is said more than once, as nobody answers it. */
const FAREWELLS = 3;
const FAREWELL_PAUSE_MS = 15;
/** How long an answer about the size of a packet may take at least. */
const PROBE_PATIENCE_MS = 300;

async function openSocket({ address, port }: MembershipOptions) {
  const socket = createSocket({ type: isIPv6(address) ? "udp6" : "udp4" });
  try {
    const listening = once(socket, "listening");
    socket.bind({ port, address, exclusive: true });
    await listening;
    return socket;
  } catch (cause) {
    socket.close();
    throw new FairleadError(
      membershipErrors["membership-listen"],
      `nodes cannot be heard on ${address}:${port}`,
      { cause, facts: { address, port } },
    );
  }
}

/** Opens the socket and starts to watch; disposing says farewell. Throws FL1001 `membership-listen`. */
export async function startMembership(
  options: MembershipOptions,
  { clock, random, logger }: MembershipParts,
): Promise<Membership> {
  const { id, incarnation } = options;
  const socket = await openSocket(options);
  const sealer = createSealer(options.secret, MEMBERSHIP);
  // Clocks may be as far apart as they like: what is old is known by its life and its sequence.
  const gate = createGate({
    protocol: MEMBERSHIP,
    sealer,
    sender: id,
    incarnation,
    skewMsMax: Number.POSITIVE_INFINITY,
    perSecondMax: PER_SECOND_MAX,
  });
  const makeNonce = (): number => randomBytes(6).readUIntBE(0, 6);
  const detector = createDetector({ id, timing: TIMING, random, makeNonce });
  const closing = new AbortController();
  const listeners = new Set<(change: MemberChange) => void>();
  let places = new Map<string, Peer>();
  let sequence = options.firstSequence ?? 0;

  function send(to: string, message: Message): void {
    const place = places.get(to);
    if (place === undefined) return;
    const header = { sender: id, incarnation, sequence: sequence++, stampMs: clock.nowMs() };
    // One that cannot be sent is one that is lost.
    const bytes = sealer.seal(encodeMessage(header, message));
    socket.send(bytes, place.port, place.address, () => undefined);
  }

  function apply({ outgoing, changes }: Step): void {
    for (const { to, message } of outgoing) send(to, message);
    for (const change of changes) for (const listener of listeners) listener(change);
  }

  const prober = createPathProber({
    ...options,
    clock,
    makeNonce,
    send: (bytes, { address, port }) => socket.send(bytes, port, address, () => undefined),
  });
  socket.on("message", (bytes, from) => {
    if (prober.take(bytes, from)) return;
    const { address } = from;
    const [nowMs, wallMs] = [clock.monotonicMs(), clock.nowMs()];
    const header = gate.admit(bytes, address, nowMs, wallMs);
    if (header === undefined) return;
    const message = decodeMessage(bytes);
    if (message === undefined) gate.counters.malformed++;
    else apply(detector.take(header, message, nowMs, wallMs));
  });
  socket.on("error", (error) =>
    logger.warn("the socket of membership had an error", { reason: error.message }),
  );

  async function tick(): Promise<void> {
    while (!closing.signal.aborted) {
      apply(detector.tick(clock.monotonicMs()));
      await clock.sleep(TICK_MS, closing.signal).catch(() => undefined);
    }
  }
  const ticking = tick();

  async function leave(): Promise<void> {
    if (closing.signal.aborted) return;
    closing.abort();
    await ticking;
    for (let count = 0; count < FAREWELLS; count++) {
      if (count > 0) await clock.sleep(FAREWELL_PAUSE_MS);
      for (const peer of places.keys()) send(peer, { kind: "leave" });
    }
    const closed = once(socket, "close");
    socket.close();
    await closed;
  }

  return {
    port: socket.address().port,
    setPeers(peers) {
      places = new Map(peers.filter((peer) => peer.id !== id).map((peer) => [peer.id, peer]));
      apply(detector.setPeers([...places.values()], clock.monotonicMs()));
    },
    list: detector.list,
    find: detector.find,
    get isolated() {
      return detector.isolated;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async probe(to, sizeBytes) {
      const place = places.get(to);
      if (place === undefined) return false;
      const rttMs = detector.find(to)?.rttMs ?? 0;
      return prober.probe(place, sizeBytes, PROBE_PATIENCE_MS + 3 * rttMs);
    },
    readCounters: () => ({ ...gate.counters, sent: sequence }),
    [Symbol.asyncDispose]: leave,
  };
}
