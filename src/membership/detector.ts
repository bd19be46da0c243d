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
//
// In a large fleet a node watches its circle so (`circle.ts`), and takes the others for alive until somebody tells that one
// of them is quiet, or one does not answer when it is its turn. Then it looks itself, as at one of its circle, and judges by
// what it hears: so there is no accusation in that either, and everybody knows soon.
import type { Random } from "#base/clock.ts";
import { chooseDue, isAway } from "./choose-due.ts";
import { chooseNews } from "./choose-news.ts";
import { createCircle } from "./circle.ts";
import { beginLife, createKnownPeer, measurePeer, type KnownPeer } from "./known-peer.ts";
import type { Member, MemberChange, MemberState } from "./membership.ts";
import type { Age, Message } from "./messages.ts";
import { countCircle, createSurvey, hearsNobody } from "./survey.ts";
import type { Timing } from "./timing.ts";

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
  find(id: string): Member | undefined;
  readonly isolated: boolean;
}

/** How often `tick` wants to be called. */
export const TICK_MS = 100;
/** A tick that comes later than this shows that this process did not run. */
const LATE_MS = 500;
/** How long an answer may take. */
const ANSWER_MS = 3_000;
const HELPERS = 3;
/** In a large fleet it asks a quiet one alone for so long: mostly it answers, and nobody else has to be troubled. */
const ALONE_MS = 2 * TICK_MS;
/** Of so many of them a tick asks others as well. */
const ASKED_ABOUT_MAX = 16;
const WAITING_MAX = 4_096;
/** New peers outside of the circle that are asked at once. */
const GREETED_MAX = 16;

interface Waiting {
  readonly to: string;
  readonly sentMs: number;
  /** Who wants to know, for a ping that somebody asked for. */
  readonly asker?: { readonly id: string; readonly nonce: number };
}

/** Makes a detector that watches nobody yet. */
export function createDetector(options: DetectorOptions): Detector {
  const { timing, random, makeNonce } = options;
  const peers = new Map<string, KnownPeer>();
  const circle = createCircle(options.id, random);
  const { near, far } = circle;
  const survey = createSurvey(random);
  /** Those of the circle, and others at which it looks. */
  const watched = new Set<KnownPeer>();
  let wasIsolated = false;
  /** Pings without an answer, by nonce. */
  const waiting = new Map<number, Waiting>();
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

  function describe(peer: KnownPeer): Member {
    const { id, incarnation, state, rttMs, skewMs } = peer;
    // Of one at which it does not look nothing is known but that nobody complains.
    const isWatched = watched.has(peer);
    const direct = !isWatched || time - peer.directAt < timing.suspectMs;
    const silentMs = isWatched ? time - peer.heardAt : 0;
    return { id, incarnation, state, silentMs, direct, rttMs, skewMs };
  }

  function judge(peer: KnownPeer): MemberState {
    if (peer.left) return "left";
    if (!watched.has(peer)) return "alive";
    if (peer.returning) return "left";
    const ageMs = time - peer.heardAt;
    if (ageMs < timing.suspectMs) return "alive";
    return ageMs < timing.goneMs ? "suspect" : "gone";
  }

  function settle(peer: KnownPeer): void {
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

  function tell(to: string, about?: KnownPeer): readonly Age[] {
    const [isLarge, isNear] = [far.size > 0, near.has(to)];
    return chooseNews({ watched, about, time, tellFrom, timing, isLarge, isNear, random });
  }

  function ping(to: string, nowMs: number, asker?: Waiting["asker"]): void {
    if (waiting.size >= WAITING_MAX) return;
    const nonce = makeNonce();
    waiting.set(nonce, { to, sentMs: nowMs, ...(asker === undefined ? {} : { asker }) });
    outgoing.push({ to, message: { kind: "ping", nonce, news: tell(to) } });
  }

  /** Asks some who are heard to look for the target. */
  function askOthers(target: string): void {
    const able = [...watched].filter(({ id, state }) => state === "alive" && id !== target);
    for (let count = 0; count < HELPERS && able.length > 0; count++) {
      const [helper] = able.splice(Math.floor(random() * able.length), 1);
      if (helper === undefined) break;
      const message: Message = { kind: "ask", nonce: makeNonce(), target, news: [] };
      outgoing.push({ to: helper.id, message });
    }
  }

  /** Looks at one outside of the circle, which somebody finds quiet: that this node has to find itself. */
  function attend(peer: KnownPeer | undefined, ageMs: number): void {
    if (peer === undefined || watched.has(peer) || peer.left) return;
    watched.add(peer);
    peer.heardAt = time - Math.min(ageMs, timing.probeMs);
  }

  function lookAround(nowMs: number): void {
    for (const id of survey.take(countCircle(near, peers), far)) {
      const peer = peers.get(id);
      if (peer === undefined || watched.has(peer)) continue;
      attend(peer, timing.probeMs);
      peer.probedTick = ticks;
      ping(id, nowMs);
    }
    // Who hears nobody of its circle is told nothing of the others, and looks at all of them until it hears somebody again.
    const isolated = hearsNobody(near, peers);
    if (isolated) for (const id of far) attend(peers.get(id), timing.probeMs);
    else if (wasIsolated)
      for (const peer of watched) {
        if (!far.has(peer.id) || peer.state === "gone") continue;
        watched.delete(peer);
        settle(peer);
      }
    wasIsolated = isolated;
  }

  /** What anybody says of a quiet one makes this node look; that it is quiet it believes nobody. */
  function heed(news: readonly Age[]): void {
    for (const { id, incarnation, sequence, ageMs } of news) {
      if (ageMs < timing.suspectMs || !far.has(id)) continue;
      const peer = peers.get(id);
      if (peer === undefined || incarnation !== peer.incarnation || sequence < peer.sequence)
        continue;
      peer.sequence = sequence;
      attend(peer, ageMs);
    }
  }

  function hear(peer: KnownPeer, sequence: number, at: number): void {
    if (sequence <= peer.sequence) return;
    peer.sequence = sequence;
    peer.returning = false;
    peer.heardAt = Math.max(peer.heardAt, at);
    if (far.has(peer.id) && time - peer.heardAt < timing.probeMs) watched.delete(peer);
  }

  function learn(news: readonly Age[]): void {
    for (const { id, incarnation, sequence, ageMs } of news) {
      const peer = peers.get(id);
      if (peer === undefined || incarnation < peer.incarnation) continue;
      if (incarnation > peer.incarnation) beginLife(peer, incarnation, time - timing.suspectMs);
      if (!peer.left) hear(peer, sequence, time - ageMs);
      settle(peer);
    }
  }

  function takeAck(
    peer: KnownPeer,
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
    measurePeer(peer, rttMs, stampMs - (wallMs - rttMs / 2));
    if (asked.asker === undefined) return;
    hear(peer, sequence, time);
    const message: Message = {
      kind: "ack",
      nonce: asked.asker.nonce,
      news: tell(asked.asker.id, peer),
    };
    outgoing.push({ to: asked.asker.id, message });
  }

  function answer(peer: KnownPeer, message: Message, nowMs: number): void {
    if (message.kind === "ping")
      outgoing.push({
        to: peer.id,
        message: { kind: "ack", nonce: message.nonce, news: tell(peer.id) },
      });
    else if (message.kind === "ask" && peers.has(message.target))
      ping(message.target, nowMs, { id: peer.id, nonce: message.nonce });
  }

  function probeQuiet(nowMs: number): void {
    let askedAbout = 0;
    for (const peer of chooseDue({ watched, ticks, time, timing, random })) {
      peer.probedTick = ticks;
      ping(peer.id, nowMs);
      if (isAway(peer) || askedAbout >= ASKED_ABOUT_MAX) continue;
      if (far.size > 0 && time - peer.heardAt < timing.probeMs + ALONE_MS) continue;
      askedAbout++;
      askOthers(peer.id);
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

  function drawCircle(): void {
    const before = new Set(near);
    circle.draw([...peers.keys()]);
    for (const peer of peers.values())
      if (near.has(peer.id)) {
        if (!watched.has(peer)) peer.heardAt = time;
        watched.add(peer);
      } else if (before.has(peer.id) && peer.state === "alive") watched.delete(peer);
  }

  return {
    setPeers(wanted, nowMs) {
      const others = new Map(wanted.map((one) => [one.id, one]));
      others.delete(options.id);
      const fresh: KnownPeer[] = [];
      for (const [id, peer] of peers)
        if (!others.has(id)) {
          peers.delete(id);
          watched.delete(peer);
        }
      for (const { id, incarnation } of others.values()) {
        const known = peers.get(id);
        if (known === undefined) {
          const peer = createKnownPeer({ id, incarnation, time, phase: peers.size });
          peers.set(id, peer);
          fresh.push(peer);
        } else if (incarnation > known.incarnation) {
          beginLife(known, incarnation, time - timing.suspectMs);
          settle(known);
        }
      }
      drawCircle();
      for (const peer of fresh) changes.push({ member: describe(peer), was: undefined });
      // Of many outside of the circle each is asked in its turn.
      const strangers = fresh.filter(({ id }) => far.has(id));
      for (const { id } of fresh)
        if (near.has(id) || strangers.length <= GREETED_MAX) ping(id, nowMs);
      return finish();
    },
    take(from, message, nowMs, wallMs) {
      const peer = peers.get(from.sender);
      const isOld = tickedMs !== undefined && nowMs - tickedMs > LATE_MS;
      if (peer === undefined || from.incarnation < peer.incarnation || deaf || isOld)
        return finish();
      if (from.incarnation > peer.incarnation)
        beginLife(peer, from.incarnation, time - timing.suspectMs);
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
      heed(message.news);
      settle(peer);
      answer(peer, message, nowMs);
      return finish();
    },
    tick(nowMs) {
      passTime(nowMs);
      if (deaf) return finish();
      ticks++;
      // In the order in which they were sent.
      for (const [nonce, { to, sentMs, asker }] of waiting) {
        if (nowMs - sentMs <= ANSWER_MS) break;
        waiting.delete(nonce);
        if (asker === undefined) attend(peers.get(to), ANSWER_MS);
      }
      for (const peer of watched) settle(peer);
      if (far.size > 0) lookAround(nowMs);
      if (time >= pingAt) {
        pingAt = time + timing.periodMs;
        const next = circle.takeTurn();
        if (next !== undefined) ping(next, nowMs);
      }
      probeQuiet(nowMs);
      return finish();
    },
    list: () => [...peers.values()].map(describe),
    find(id) {
      const peer = peers.get(id);
      return peer && describe(peer);
    },
    get isolated() {
      return hearsNobody(near, peers);
    },
  };
}
