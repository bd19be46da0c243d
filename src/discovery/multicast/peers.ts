// SPDX-License-Identifier: Apache-2.0
// What is known of the others: their records, what of them is still missing, and whether they live. Time comes in as an
// argument; what is to be asked goes out as a list.
import { AgentRecord, type GoneReason } from "@fairlead/protocol/agent.ts";
import type { Header } from "#datagram/envelope.ts";
import type { Roster } from "#discovery/roster.ts";
import { SLOTS_MAX, type Message } from "./datagram.ts";

/** `suspect`: silent for longer than its heartbeat; it is asked whether it lives. */
export interface PeerView {
  readonly sender: string;
  readonly state: "alive" | "suspect";
  /** Why, in words. */
  readonly reason: string;
  readonly silentMs: number;
  readonly agents: number;
}

/** A question for a peer: whether it lives, and for these of its records. */
export interface Question {
  readonly target: string;
  readonly slots: readonly number[];
}

export interface Peers {
  /** Takes what a peer said. False when it was broken. */
  take(header: Header, message: Message, nowMs: number): boolean;
  /**
   * Marks the silent ones, removes those silent for two heartbeats; returns what is to be asked now. Where datagrams had
   * to be kept out meanwhile, at `deafAtMs` the last time, silence proves less: then it takes ten.
   */
  check(nowMs: number, deafAtMs: number): readonly Question[];
  view(nowMs: number): readonly PeerView[];
}

interface Slot {
  /** What the roster has; 0 for nothing. */
  have: number;
  /** What the peer has. */
  want: number;
  /** Pieces of revision `want`. */
  parts: (Buffer | undefined)[];
  id: string | undefined;
}

interface Peer {
  readonly sender: string;
  readonly incarnation: number;
  readonly slots: Map<number, Slot>;
  intervalMs: number;
  heardMs: number;
  suspect: boolean;
  beatSequence: number;
  askAtMs: number;
  askPauseMs: number;
}

const ASK_FIRST_MS = 30;
const ASK_PAUSE_MS_MAX = 1_000;
const PROBES_PER_HEARTBEAT = 10;
/** Two, less the time it takes to look. */
const HEARTBEATS_TO_GONE = 1.9;
const HEARTBEATS_WHEN_DEAF = 10;
const PEERS_MAX = 4_096;
const SLOTS_PER_PEER_MAX = 4_096;
const INTERVAL_MS_MIN = 100;
const INTERVAL_MS_MAX = 60_000;

function parseRecord(parts: readonly (Buffer | undefined)[]): AgentRecord | undefined {
  const whole = Buffer.concat(parts.map((part) => part ?? Buffer.alloc(0)));
  try {
    return AgentRecord.safeParse(JSON.parse(whole.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}

/** Peers that put what they announce into the roster; `retire` is told who is gone, and whether it left. */
export function createPeers(
  roster: Roster,
  retire: (sender: string, left: boolean) => void,
): Peers {
  const peers = new Map<string, Peer>();
  /** Who announces a record: nobody else takes it back. */
  const owners = new Map<string, Peer>();

  function removeRecord(peer: Peer, id: string | undefined, reason: GoneReason): void {
    if (id === undefined || owners.get(id) !== peer) return;
    owners.delete(id);
    roster.remove(id, reason);
  }

  function removePeer(peer: Peer, reason: GoneReason): void {
    peers.delete(peer.sender);
    if (reason !== "replaced") retire(peer.sender, reason === "left");
    for (const { id } of peer.slots.values()) removeRecord(peer, id, reason);
  }

  function findPeer({ sender, incarnation }: Header, nowMs: number): Peer | undefined {
    const known = peers.get(sender);
    if (known !== undefined && known.incarnation === incarnation) return known;
    if (known !== undefined) removePeer(known, "replaced");
    if (peers.size >= PEERS_MAX) return undefined;
    const peer: Peer = {
      sender,
      incarnation,
      slots: new Map(),
      intervalMs: INTERVAL_MS_MAX,
      heardMs: nowMs,
      suspect: false,
      beatSequence: 0,
      askAtMs: Number.POSITIVE_INFINITY,
      askPauseMs: ASK_FIRST_MS,
    };
    peers.set(sender, peer);
    return peer;
  }

  function findSlot(peer: Peer, number: number): Slot | undefined {
    const known = peer.slots.get(number);
    if (known !== undefined || peer.slots.size >= SLOTS_PER_PEER_MAX) return known;
    const slot: Slot = { have: 0, want: 0, parts: [], id: undefined };
    peer.slots.set(number, slot);
    return slot;
  }

  function want(slot: Slot, revision: number): void {
    slot.want = revision;
    slot.parts = [];
  }

  function takeBeat(
    peer: Peer,
    sequence: number,
    beat: Message & { kind: "beat" },
    nowMs: number,
  ): void {
    // One that was overtaken would bring back what has changed since.
    if (sequence < peer.beatSequence) return;
    peer.beatSequence = sequence;
    peer.intervalMs = Math.min(Math.max(beat.intervalMs, INTERVAL_MS_MIN), INTERVAL_MS_MAX);
    const named = new Set(beat.slots.map(({ slot }) => slot));
    for (const [number, { id }] of peer.slots) {
      if (number < beat.from || number > beat.until || named.has(number)) continue;
      peer.slots.delete(number);
      removeRecord(peer, id, "left");
    }
    for (const { slot: number, revision } of beat.slots) {
      const slot = findSlot(peer, number);
      if (slot !== undefined && revision > slot.want) want(slot, revision);
      if (slot === undefined || slot.have >= revision || Number.isFinite(peer.askAtMs)) continue;
      // Its parts may be on their way.
      peer.askAtMs = nowMs + ASK_FIRST_MS;
      peer.askPauseMs = ASK_FIRST_MS;
    }
  }

  function takePart(peer: Peer, sequence: number, message: Message & { kind: "part" }): boolean {
    const isLate = !peer.slots.has(message.slot) && sequence < peer.beatSequence;
    const slot = isLate ? undefined : findSlot(peer, message.slot);
    if (slot === undefined || message.revision <= slot.have || message.revision < slot.want)
      return true;
    if (message.revision > slot.want) want(slot, message.revision);
    if (slot.parts.length !== message.parts) slot.parts = Array(message.parts).fill(undefined);
    slot.parts[message.part] = Buffer.from(message.bytes);
    if (slot.parts.some((part) => part === undefined)) return true;
    const record = parseRecord(slot.parts);
    slot.parts = [];
    // A record that cannot be read is not asked for again: it would be the same.
    slot.have = slot.want;
    if (record === undefined) return false;
    if (slot.id !== record.id) removeRecord(peer, slot.id, "replaced");
    slot.id = record.id;
    owners.set(record.id, peer);
    roster.put(record);
    return true;
  }

  function listMissing(peer: Peer): number[] {
    const missing: number[] = [];
    for (const [number, { have, want: wanted }] of peer.slots) {
      if (have < wanted) missing.push(number);
      if (missing.length >= SLOTS_MAX) break;
    }
    return missing;
  }

  /** What to ask a peer now; undefined for nothing. */
  function ask(peer: Peer, nowMs: number): Question | undefined {
    if (nowMs < peer.askAtMs) return undefined;
    const slots = listMissing(peer);
    if (slots.length === 0 && !peer.suspect) {
      peer.askAtMs = Number.POSITIVE_INFINITY;
      return undefined;
    }
    peer.askPauseMs = Math.min(peer.askPauseMs * 1.5, ASK_PAUSE_MS_MAX);
    const probeMs = peer.intervalMs / PROBES_PER_HEARTBEAT;
    peer.askAtMs = nowMs + (peer.suspect ? Math.min(probeMs, peer.askPauseMs) : peer.askPauseMs);
    return { target: peer.sender, slots };
  }

  return {
    take(header, message, nowMs) {
      const known = peers.get(header.sender);
      if (message.kind === "leave") {
        if (known === undefined) retire(header.sender, true);
        else if (known.incarnation === header.incarnation) removePeer(known, "left");
        return true;
      }
      if (message.kind === "ask") return true;
      const peer = findPeer(header, nowMs);
      if (peer === undefined) return true;
      peer.heardMs = nowMs;
      peer.suspect = false;
      if (message.kind === "part") return takePart(peer, header.sequence, message);
      takeBeat(peer, header.sequence, message, nowMs);
      return true;
    },
    check(nowMs, deafAtMs) {
      const questions: Question[] = [];
      for (const peer of peers.values()) {
        const silentMs = nowMs - peer.heardMs;
        const isDeaf = nowMs - deafAtMs < 2 * peer.intervalMs;
        if (silentMs >= (isDeaf ? HEARTBEATS_WHEN_DEAF : HEARTBEATS_TO_GONE) * peer.intervalMs) {
          removePeer(peer, "expired");
          continue;
        }
        if (silentMs >= peer.intervalMs && !peer.suspect) {
          peer.suspect = true;
          peer.askAtMs = nowMs;
        }
        const question = ask(peer, nowMs);
        if (question !== undefined) questions.push(question);
      }
      return questions;
    },
    view: (nowMs) =>
      [...peers.values()].map(({ sender, suspect, heardMs, intervalMs, slots }) => {
        const silentMs = Math.round(nowMs - heardMs);
        const reason = suspect
          ? `silent for ${silentMs} ms, longer than its heartbeat of ${intervalMs} ms`
          : `heard ${silentMs} ms ago`;
        return {
          sender,
          state: suspect ? "suspect" : "alive",
          reason,
          silentMs,
          agents: slots.size,
        };
      }),
  };
}
