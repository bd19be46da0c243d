// SPDX-License-Identifier: Apache-2.0
// The real detector and the real form of its datagrams, over the simulated wire.
import type { Random } from "#base/clock.ts";
import { decodeHeader } from "#datagram/envelope.ts";
import { createDetector, TICK_MS, type Step } from "#membership/detector.ts";
import type { MemberChange, Membership } from "#membership/membership.ts";
import { decodeMessage, encodeMessage, MEMBERSHIP } from "#membership/messages.ts";
import { TIMING } from "#membership/timing.ts";
import type { Life } from "./life.ts";
import type { SimNetwork } from "./sim-network.ts";

/** Who answers at a place on the wire; replaced by each life of a node. */
export type Mailboxes = Map<string, (bytes: Buffer) => void>;

const LEAVE = { kind: "leave" } as const;
const FAREWELLS = 3;

interface SimMembershipOptions {
  readonly id: string;
  readonly incarnation: number;
  readonly firstSequence: number;
  readonly life: Life;
  readonly network: SimNetwork;
  readonly mailboxes: Mailboxes;
  readonly random: Random;
}

/** Watches as `startMembership` does, without a socket and without a seal. */
export function startSimMembership(options: SimMembershipOptions): Membership {
  const { id, incarnation, life, network, mailboxes, random } = options;
  const { clock } = life;
  const makeNonce = (): number => Math.floor(random() * 2 ** 48);
  const detector = createDetector({ id, timing: TIMING, random, makeNonce });
  const listeners = new Set<(change: MemberChange) => void>();
  let sequence = options.firstSequence;
  let closed = false;

  function apply({ outgoing, changes }: Step): void {
    for (const { to, message } of outgoing) {
      const header = { sender: id, incarnation, sequence: sequence++, stampMs: clock.nowMs() };
      const bytes = encodeMessage(header, message);
      network.send(id, to, () => mailboxes.get(to)?.(bytes));
    }
    for (const change of changes) for (const listener of listeners) listener(change);
  }

  function tick(): void {
    if (closed) return;
    apply(detector.tick(clock.monotonicMs()));
    life.afterQuietly(TICK_MS + random() * 5, tick);
  }

  mailboxes.set(id, (bytes) =>
    life.now(() => {
      const [header, message] = [decodeHeader(MEMBERSHIP, bytes), decodeMessage(bytes)];
      if (header === undefined || message === undefined || closed) return;
      apply(detector.take(header, message, clock.monotonicMs(), clock.nowMs()));
    }),
  );
  life.afterQuietly(random() * TICK_MS, tick);
  return {
    port: 7_120,
    setPeers: (peers) => apply(detector.setPeers(peers, clock.monotonicMs())),
    list: detector.list,
    find: detector.find,
    get isolated() {
      return detector.isolated;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    // Every path of this network carries all sizes.
    probe: () => Promise.resolve(!closed),
    readCounters: () => ({ sent: sequence }),
    // As the real one does: a farewell to all that it knows, which nobody answers.
    [Symbol.asyncDispose]: () => {
      closed = true;
      const outgoing = detector.list().map(({ id: to }) => ({ to, message: LEAVE }));
      for (let count = 0; count < FAREWELLS; count++) apply({ outgoing, changes: [] });
      mailboxes.delete(id);
      return Promise.resolve();
    },
  };
}
