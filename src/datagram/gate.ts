// SPDX-License-Identifier: Apache-2.0
// Which datagrams are believed. What is cheap to see is looked at first: the HMAC is computed only for what passes.
import { decodeHeader, type Header, type Protocol } from "./envelope.ts";
import type { Sealer } from "./seal.ts";
import { createSourceLimiter, sourceOf } from "./source-limiter.ts";

/** What came in, by what became of it. */
export interface GateCounters {
  received: number;
  accepted: number;
  /** Our own, which the group brings back. */
  own: number;
  /** No datagram of this protocol and version. */
  malformed: number;
  /** Without the key. */
  unauthenticated: number;
  /** Seen before. */
  replayed: number;
  /** Of a sender that has started anew since. */
  outdated: number;
  /** From a clock that is too far from ours, or too old. */
  skewed: number;
  /** Above the rate of their source, or of all sources together. */
  limited: number;
}

export interface GateOptions {
  readonly protocol: Protocol;
  readonly sealer: Sealer;
  /** Our own name. */
  readonly sender: string;
  readonly incarnation: number;
  readonly skewMsMax: number;
  readonly perSecondMax: number;
}

export interface Gate {
  readonly counters: GateCounters;
  /** The header of a datagram that is believed. Clocks: `nowMs` is monotonic, `wallMs` the wall's. */
  admit(bytes: Buffer, source: string, nowMs: number, wallMs: number): Header | undefined;
  /**
   * A sender is gone: of what it sent before nothing is believed any more, even if it was never seen here. With `left`
   * its whole incarnation is over.
   */
  retire(sender: string, left: boolean): void;
  /** Forgets senders whose datagrams would be too old by now anyway. */
  sweep(wallMs: number): void;
}

/** Sequences of a sender that have been seen: the highest, and the 32 up to it as bits. */
interface Seen {
  incarnation: number;
  highest: number;
  bits: number;
  /** The newest stamp. */
  stampMs: number;
}

const WINDOW = 32;
const SOURCES_MAX = 4_096;
/** HMACs a second for all sources together: a few hundredths of a core. */
const PROOFS_PER_SECOND = 10_000;

function wasSeen(seen: Seen, sequence: number): boolean {
  const age = seen.highest - sequence;
  return age >= 0 && (age >= WINDOW || ((seen.bits >>> age) & 1) === 1);
}

function note(seen: Seen, { sequence, stampMs }: Header): void {
  const ahead = sequence - seen.highest;
  if (ahead > 0) {
    seen.bits = ahead >= WINDOW ? 1 : ((seen.bits << ahead) | 1) >>> 0;
    seen.highest = sequence;
  } else {
    seen.bits = (seen.bits | (1 << -ahead)) >>> 0;
  }
  seen.stampMs = Math.max(seen.stampMs, stampMs);
}

/** A gate that has seen nobody. */
export function createGate(options: GateOptions): Gate {
  const { protocol, sealer, skewMsMax, perSecondMax } = options;
  const burst = 2 * perSecondMax;
  const limiter = createSourceLimiter({ perSecond: perSecondMax, burst, sourcesMax: SOURCES_MAX });
  const proofs = createSourceLimiter({
    perSecond: PROOFS_PER_SECOND,
    burst: PROOFS_PER_SECOND,
    sourcesMax: 1,
  });
  const senders = new Map<string, Seen>();
  const counters: GateCounters = {
    received: 0,
    accepted: 0,
    own: 0,
    malformed: 0,
    unauthenticated: 0,
    replayed: 0,
    outdated: 0,
    skewed: 0,
    limited: 0,
  };

  /** Why a datagram is not even worth its HMAC. */
  function refuse(header: Header, wallMs: number): keyof GateCounters | undefined {
    const { sender, incarnation, sequence, stampMs } = header;
    if (sender === options.sender && incarnation === options.incarnation) return "own";
    if (Math.abs(wallMs - stampMs) > skewMsMax) return "skewed";
    const seen = senders.get(sender);
    if (seen === undefined || incarnation > seen.incarnation) return undefined;
    if (incarnation < seen.incarnation) return "outdated";
    return wasSeen(seen, sequence) ? "replayed" : undefined;
  }

  function remember(header: Header): void {
    const { sender, incarnation, sequence, stampMs } = header;
    const seen = senders.get(sender);
    if (seen !== undefined && seen.incarnation === incarnation) note(seen, header);
    else senders.set(sender, { incarnation, highest: sequence, bits: 1, stampMs });
  }

  return {
    counters,
    admit(bytes, source, nowMs, wallMs) {
      counters.received++;
      const header = decodeHeader(protocol, bytes);
      const reason = header === undefined ? "malformed" : refuse(header, wallMs);
      if (header === undefined || reason !== undefined) {
        counters[reason ?? "malformed"]++;
        return undefined;
      }
      if (!limiter.allow(sourceOf(source), nowMs) || !proofs.allow("", nowMs)) {
        counters.limited++;
        return undefined;
      }
      if (!sealer.isSealed(bytes)) {
        counters.unauthenticated++;
        return undefined;
      }
      remember(header);
      counters.accepted++;
      return header;
    },
    retire(sender, left) {
      const seen = senders.get(sender);
      if (seen === undefined) return;
      seen.bits = 0xffff_ffff;
      if (left) seen.highest = Number.MAX_SAFE_INTEGER;
    },
    sweep(wallMs) {
      for (const [sender, { stampMs }] of senders)
        if (wallMs - stampMs > 2 * skewMsMax) senders.delete(sender);
    },
  };
}
