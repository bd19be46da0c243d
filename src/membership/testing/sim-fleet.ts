// SPDX-License-Identifier: Apache-2.0
// A fleet of detectors in virtual time, over a network that delays, loses and parts; nodes may pause. Seeded.
import { createDetector, TICK_MS, type Detector, type Step } from "#membership/detector.ts";
import type { MemberChange, MemberState } from "#membership/membership.ts";
import { decodeMessage, encodeMessage } from "#membership/messages.ts";
import { TIMING } from "#membership/timing.ts";

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly node: SimNode;
  run(): void;
}

/** One node of the fleet. */
export interface SimNode {
  readonly id: string;
  readonly detector: Detector;
  /** What it saw, with the time. */
  readonly seen: (MemberChange & { readonly atMs: number })[];
  /** Until when it does not run; what arrives waits. */
  pausedUntilMs: number;
  dead: boolean;
}

export interface SimFleet {
  readonly nodes: readonly SimNode[];
  readonly nowMs: number;
  /** Share of datagrams that get lost from one to another. */
  lossOf: (from: string, to: string) => number;
  runFor(durationMs: number): void;
  stateOf(observer: number, of: number): MemberState | undefined;
  /** Datagrams sent. */
  readonly sent: number;
}

/** Small, fast and the same everywhere (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Starts `count` nodes that know of each other. Each clock is an hour off the next one's. */
export function startSimFleet(count: number, seed: number, lateMsMax = 5): SimFleet {
  const random = seededRandom(seed);
  const events: Event[] = [];
  const watched = Array.from({ length: count }, (_, at) => ({ id: `n${at}`, incarnation: 1 }));
  let nowMs = 0;
  let order = 0;
  let sent = 0;

  function schedule(atMs: number, node: SimNode, run: () => void): void {
    const event = { atMs, order: order++, node, run };
    let at = events.length;
    while (at > 0 && (events[at - 1]?.atMs ?? 0) < atMs) at--;
    events.splice(at, 0, event);
  }

  const nodes: SimNode[] = watched.map(({ id }) => ({
    id,
    detector: createDetector({
      id,
      timing: TIMING,
      random,
      makeNonce: () => Math.floor(random() * 2 ** 48),
    }),
    seen: [],
    pausedUntilMs: 0,
    dead: false,
  }));
  const wallOf = (node: SimNode): number => nowMs + nodes.indexOf(node) * 3_600_000;

  function apply(node: SimNode, step: Step): void {
    for (const change of step.changes) node.seen.push({ ...change, atMs: nowMs });
    for (const { to, message } of step.outgoing) {
      sent++;
      if (random() < fleet.lossOf(node.id, to)) continue;
      const target = nodes.find(({ id }) => id === to);
      if (target === undefined) continue;
      const header = { sender: node.id, incarnation: 1, sequence: sent, stampMs: wallOf(node) };
      const bytes = encodeMessage(header, message);
      schedule(nowMs + 0.2 + random() * 2, target, () => {
        const arrived = decodeMessage(bytes);
        if (arrived === undefined) throw new Error("what was encoded cannot be decoded");
        apply(target, target.detector.take(header, arrived, nowMs, wallOf(target)));
      });
    }
  }

  function tick(node: SimNode): void {
    apply(node, node.detector.tick(nowMs));
    schedule(nowMs + TICK_MS + random() * lateMsMax, node, () => tick(node));
  }

  const fleet: SimFleet = {
    nodes,
    get nowMs() {
      return nowMs;
    },
    get sent() {
      return sent;
    },
    lossOf: () => 0,
    runFor(durationMs) {
      const untilMs = nowMs + durationMs;
      for (
        let next = events.at(-1);
        next !== undefined && next.atMs <= untilMs;
        next = events.at(-1)
      ) {
        events.pop();
        nowMs = Math.max(nowMs, next.atMs);
        const { node } = next;
        if (node.dead) continue;
        // What waits in the socket is read when the process runs again, in any order with its timers.
        if (node.pausedUntilMs > nowMs) schedule(node.pausedUntilMs + random(), node, next.run);
        else next.run();
      }
      nowMs = untilMs;
    },
    stateOf: (observer, of) =>
      nodes[observer]?.detector.list().find(({ id }) => id === `n${of}`)?.state,
  };
  for (const node of nodes) {
    apply(node, node.detector.setPeers(watched, 0));
    schedule(random() * TICK_MS, node, () => tick(node));
  }
  return fleet;
}
