// SPDX-License-Identifier: Apache-2.0
// Who lives: pure, time and chance are arguments.
//
// Every node pings one peer a period, in turns, and tells with each datagram which datagram of each peer anybody heard
// last, and how long ago. A peer's state follows from that age alone: there are no accusations that would have to be
// refuted, and one observer whom nobody answers cannot convince those who hear the peer. (Ages alone would not do: what is
// told in a circle grows younger with each hop by the time it travels.) One that has become quiet is pinged by all who
// notice, and through others (SWIM's indirect probe). What Lifeguard counts as local health is here a property of time:
// an observer's time stands still while it does not run on time itself, so that one that was paused or starved accuses
// nobody of its own silence.
import type { Random } from "#base/clock.ts";
import { keepLargest } from "./keep-largest.ts";
import type { Member, MemberChange, MemberState } from "./membership.ts";
import type { Age, Message } from "./messages.ts";

export interface Timing {
  /** One peer is pinged this often. Lower notices sooner and costs two datagrams each time. */
  readonly periodMs: number;
  /** A peer that nobody heard for this long is pinged by all, directly and through others. */
  readonly probeMs: number;
  /** … is suspected: nothing new goes there. */
  readonly suspectMs: number;
  /** … is gone. Above the longest pause that is to be forgiven. */
  readonly goneMs: number;
}

/** A pause of 5 s is forgiven; who is silent for longer is gone before 6 s. */
export const TIMING: Timing = { periodMs: 200, probeMs: 500, suspectMs: 1_000, goneMs: 5_500 };

export interface DetectorOptions {
  readonly id: string;
  readonly timing: Timing;
  readonly random: Random;
  /** A number below 2^48 that nobody can guess. */
  readonly makeNonce: () => number;
}

/** Whom to watch. */
export interface Watched {
  readonly id: string;
  readonly incarnation: number;
}

/** Who sent, in which life, and what its wall clock said. */
export interface Sender {
  readonly sender: string;
  readonly incarnation: number;
  /** Grows with each datagram of an incarnation. */
  readonly sequence: number;
  readonly stampMs: number;
}

export interface Outgoing {
  readonly to: string;
  readonly message: Message;
}

export interface Step {
  readonly outgoing: readonly Outgoing[];
  readonly changes: readonly MemberChange[];
}

export interface Detector {
  /** Replaces whom to watch. Clocks: `nowMs` is monotonic, `wallMs` the wall's. */
  setPeers(peers: readonly Watched[], nowMs: number): Step;
  take(from: Sender, message: Message, nowMs: number, wallMs: number): Step;
  /** To be called every `TICK_MS`. */
  tick(nowMs: number): Step;
  list(): readonly Member[];
  readonly isolated: boolean;
}

/** How often `tick` wants to be called. */
export const TICK_MS = 100;
/** A tick that comes later than this shows that this process did not run. */
const LATE_MS = 500;
/** How long an answer may take. */
const ANSWER_MS = 3_000;
const HELPERS = 3;
/** Quiet peers that one tick probes. */
const PROBES_MAX = 16;
/** Those that are gone are asked every so many ticks whether they are back. */
const GONE_TICKS = 10;
const NEWS_MAX = 64;
const WAITING_MAX = 4_096;
const SMOOTHING = 0.2;
/** Answers of which the quickest tells how far clocks are apart. */
const SKEW_SAMPLES = 32;

interface Known {
  readonly id: string;
  incarnation: number;
  /** Of the newest datagram that anybody heard. */
  sequence: number;
  /** When, in the observer's time. */
  heardAt: number;
  directAt: number;
  /** It has answered us in this life: only then its other datagrams count, which could be old ones sent again. */
  proven: boolean;
  left: boolean;
  state: MemberState;
  rttMs: number | undefined;
  skewMs: number | undefined;
  skewRttMs: number;
  skewSamples: number;
}

interface Waiting {
  readonly to: string;
  readonly sentMs: number;
  /** Who wants to know, for a ping that somebody asked for. */
  readonly asker?: { readonly id: string; readonly nonce: number };
}

const NEVER = Number.NEGATIVE_INFINITY;

/** Makes a detector that watches nobody yet. */
export function createDetector(options: DetectorOptions): Detector {
  const { timing, random, makeNonce } = options;
  const peers = new Map<string, Known>();
  /** Pings without an answer, by nonce. */
  const waiting = new Map<number, Waiting>();
  let ring: string[] = [];
  let outgoing: Outgoing[] = [];
  let changes: MemberChange[] = [];
  /** The observer's time: it does not pass while this process does not run. */
  let time = 0;
  let tickedMs: number | undefined;
  let ticks = 0;
  let pingAt = 0;
  /** What was heard before is not told to others: we cannot say how old it is. */
  let tellFrom = 0;
  /** What arrives may have lain in the socket while this process did not run. */
  let deaf = false;

  function describe(peer: Known): Member {
    const { id, incarnation, state, rttMs, skewMs } = peer;
    const direct = time - peer.directAt < timing.suspectMs;
    return { id, incarnation, state, silentMs: time - peer.heardAt, direct, rttMs, skewMs };
  }

  function judge(peer: Known): MemberState {
    if (peer.left) return "left";
    const ageMs = time - peer.heardAt;
    if (ageMs < timing.suspectMs) return "alive";
    return ageMs < timing.goneMs ? "suspect" : "gone";
  }

  function settle(peer: Known): void {
    const state = judge(peer);
    if (state === peer.state) return;
    const was = peer.state;
    peer.state = state;
    changes.push({ member: describe(peer), was });
  }

  function finish(): Step {
    const step = { outgoing, changes };
    outgoing = [];
    changes = [];
    return step;
  }

  function begin(peer: Known, incarnation: number): void {
    Object.assign(peer, {
      incarnation,
      sequence: -1,
      proven: false,
      left: false,
      rttMs: undefined,
    });
    Object.assign(peer, { skewMs: undefined, skewRttMs: Infinity, skewSamples: 0 });
  }

  /** The freshest first, `about` before them: who hears somebody tells it on, and what does not fit is left out. */
  function tell(about?: Known): readonly Age[] {
    const fresh: Known[] = [];
    for (const peer of peers.values())
      if (
        !peer.left &&
        peer.sequence >= 0 &&
        peer.heardAt >= tellFrom &&
        time - peer.heardAt < timing.goneMs
      )
        fresh.push(peer);
    const weigh = (peer: Known): number => (peer === about ? Infinity : peer.heardAt);
    const told = [...keepLargest(fresh, NEWS_MAX, weigh)].sort((a, b) => weigh(b) - weigh(a));
    return told.map(({ id, incarnation, sequence, heardAt }) => ({
      id,
      incarnation,
      sequence,
      ageMs: time - heardAt,
    }));
  }

  function ping(to: string, nowMs: number, asker?: Waiting["asker"]): void {
    if (waiting.size >= WAITING_MAX) return;
    const nonce = makeNonce();
    waiting.set(nonce, { to, sentMs: nowMs, ...(asker === undefined ? {} : { asker }) });
    outgoing.push({ to, message: { kind: "ping", nonce, news: tell() } });
  }

  /** Asks some who are heard to look for the target. */
  function askOthers(target: string): void {
    const able = [...peers.values()].filter(({ id, state }) => state === "alive" && id !== target);
    for (let count = 0; count < HELPERS && able.length > 0; count++) {
      const [helper] = able.splice(Math.floor(random() * able.length), 1);
      if (helper === undefined) break;
      const message: Message = { kind: "ask", nonce: makeNonce(), target, news: [] };
      outgoing.push({ to: helper.id, message });
    }
  }

  /** Everybody once in each round, in an order that nobody knows. */
  function takeTurn(): string | undefined {
    while (ring.length > 0 || peers.size > 0) {
      if (ring.length === 0)
        ring = [...peers.keys()]
          .map((id) => ({ id, at: random() }))
          .sort((a, b) => a.at - b.at)
          .map(({ id }) => id);
      const id = ring.pop();
      if (id !== undefined && peers.has(id)) return id;
    }
    return undefined;
  }

  function hear(peer: Known, sequence: number, at: number): void {
    if (sequence <= peer.sequence) return;
    peer.sequence = sequence;
    peer.heardAt = Math.max(peer.heardAt, at);
  }

  function learn(news: readonly Age[]): void {
    for (const { id, incarnation, sequence, ageMs } of news) {
      const peer = peers.get(id);
      if (peer === undefined || incarnation < peer.incarnation) continue;
      if (incarnation > peer.incarnation) begin(peer, incarnation);
      if (!peer.left) hear(peer, sequence, time - ageMs);
      settle(peer);
    }
  }

  function measure(peer: Known, rttMs: number, skewMs: number): void {
    peer.rttMs = peer.rttMs === undefined ? rttMs : peer.rttMs + (rttMs - peer.rttMs) * SMOOTHING;
    if (rttMs > peer.skewRttMs && peer.skewSamples++ < SKEW_SAMPLES) return;
    Object.assign(peer, { skewMs, skewRttMs: rttMs, skewSamples: 0 });
  }

  function takeAck(
    peer: Known,
    { sequence, stampMs }: Sender,
    nonce: number,
    nowMs: number,
    wallMs: number,
  ): void {
    const asked = waiting.get(nonce);
    if (asked?.to !== peer.id) return;
    waiting.delete(nonce);
    peer.proven = true;
    const rttMs = nowMs - asked.sentMs;
    measure(peer, rttMs, stampMs - (wallMs - rttMs / 2));
    if (asked.asker === undefined) return;
    hear(peer, sequence, time);
    const message: Message = { kind: "ack", nonce: asked.asker.nonce, news: tell(peer) };
    outgoing.push({ to: asked.asker.id, message });
  }

  function answer(peer: Known, message: Message, nowMs: number): void {
    if (message.kind === "ping")
      outgoing.push({ to: peer.id, message: { kind: "ack", nonce: message.nonce, news: tell() } });
    else if (message.kind === "ask" && peers.has(message.target))
      ping(message.target, nowMs, { id: peer.id, nonce: message.nonce });
  }

  function probeQuiet(nowMs: number): void {
    let probes = 0;
    for (const peer of peers.values()) {
      const isGone = peer.state === "gone" || peer.state === "left";
      const isDue = isGone
        ? ticks % GONE_TICKS === 0
        : time - peer.heardAt >= timing.probeMs || !peer.proven;
      if (!isDue || ++probes > PROBES_MAX) continue;
      ping(peer.id, nowMs);
      if (!isGone) askOthers(peer.id);
    }
  }

  function passTime(nowMs: number): void {
    const passedMs = tickedMs === undefined ? 0 : nowMs - tickedMs;
    tickedMs = nowMs;
    const isLate = passedMs > LATE_MS;
    // The first tick on time after a late one: all that lay in the socket has been read in between.
    if (!isLate && !deaf) time += passedMs;
    if (isLate) tellFrom = time + 1;
    deaf = isLate;
  }

  return {
    setPeers(watched, nowMs) {
      const wanted = new Map(watched.map((one) => [one.id, one]));
      wanted.delete(options.id);
      for (const id of peers.keys()) if (!wanted.has(id)) peers.delete(id);
      for (const { id, incarnation } of wanted.values()) {
        const known = peers.get(id);
        if (known !== undefined) {
          if (incarnation > known.incarnation) begin(known, incarnation);
          continue;
        }
        const peer: Known = {
          id,
          incarnation,
          sequence: -1,
          heardAt: time,
          directAt: NEVER,
          proven: false,
          left: false,
          state: "alive",
          rttMs: undefined,
          skewMs: undefined,
          skewRttMs: Infinity,
          skewSamples: 0,
        };
        peers.set(id, peer);
        changes.push({ member: describe(peer), was: undefined });
        ping(id, nowMs);
      }
      return finish();
    },
    take(from, message, nowMs, wallMs) {
      const peer = peers.get(from.sender);
      const isOld = tickedMs !== undefined && nowMs - tickedMs > LATE_MS;
      if (peer === undefined || from.incarnation < peer.incarnation || deaf || isOld)
        return finish();
      if (from.incarnation > peer.incarnation) begin(peer, from.incarnation);
      if (message.kind === "leave") {
        peer.left = true;
        settle(peer);
        return finish();
      }
      if (message.kind === "ack") takeAck(peer, from, message.nonce, nowMs, wallMs);
      if (peer.proven && !peer.left) {
        hear(peer, from.sequence, time);
        peer.directAt = time;
        learn(message.news);
      }
      settle(peer);
      answer(peer, message, nowMs);
      return finish();
    },
    tick(nowMs) {
      passTime(nowMs);
      if (deaf) return finish();
      ticks++;
      for (const [nonce, { sentMs }] of waiting)
        if (nowMs - sentMs > ANSWER_MS) waiting.delete(nonce);
      for (const peer of peers.values()) settle(peer);
      if (time >= pingAt) {
        pingAt = time + timing.periodMs;
        const next = takeTurn();
        if (next !== undefined) ping(next, nowMs);
      }
      probeQuiet(nowMs);
      return finish();
    },
    list: () => [...peers.values()].map(describe),
    get isolated() {
      const watched = [...peers.values()].filter(({ left }) => !left);
      return watched.length > 0 && watched.every(({ state }) => state !== "alive");
    },
  };
}
