// SPDX-License-Identifier: Apache-2.0
// Asks a peer with a packet of a given size, on the socket of membership but in a protocol of its own, since its datagrams
// may be large: whoever gets a question whole says how large it was. The answer is small, so that nobody is flooded by it.
//
//   question   nonce (6 bytes), zeros
//   answer     nonce, bytes of the question's datagram (2 bytes)
import type { Clock } from "#base/clock.ts";
import {
  encodeEnvelope,
  readBody,
  readMagic,
  type Header,
  type Protocol,
} from "#datagram/envelope.ts";
import { createGate } from "#datagram/gate.ts";
import { createSealer } from "#datagram/seal.ts";

/** The largest packet that is asked with: jumbo frames. */
export const PROBE_BYTES_MAX = 9_216;
/** "FLP", version 1. */
const PROBING: Protocol = {
  magic: 0x46_4c_50_01,
  purpose: "fairlead path 1",
  bytesMax: PROBE_BYTES_MAX,
};
const KIND = { question: 1, answer: 2 } as const;
const NONCE_BYTES = 6;
const PER_SECOND_MAX = 200;
const GRACE_MS = 20;
/** IP and UDP headers. */
const HEADERS_BYTES = { 4: 28, 6: 48 } as const;

/** Where a peer is, and how it is sent to. */
export interface ProbePlace {
  readonly address: string;
  readonly port: number;
}

export interface ProberOptions {
  readonly id: string;
  readonly incarnation: number;
  readonly secret: Uint8Array;
  readonly makeNonce: () => number;
  readonly send: (bytes: Buffer, place: ProbePlace) => void;
  readonly clock: Clock;
}

export interface PathProber {
  /** Takes a datagram if it is of this protocol; false when it is not. */
  take(bytes: Buffer, from: ProbePlace): boolean;
  /** Whether a packet of so many bytes, all headers included, was answered in time. */
  probe(place: ProbePlace, sizeBytes: number, patienceMs: number): Promise<boolean>;
}

/** Makes one that waits for nothing. */
export function createPathProber(options: ProberOptions): PathProber {
  const { id, incarnation, clock } = options;
  const sealer = createSealer(options.secret, PROBING);
  const gate = createGate({
    protocol: PROBING,
    sealer,
    sender: id,
    incarnation,
    skewMsMax: Number.POSITIVE_INFINITY,
    perSecondMax: PER_SECOND_MAX,
  });
  const waiting = new Map<number, { readonly sizeBytes: number; readonly answered: () => void }>();
  let sequence = 0;

  function encode(kind: number, body: Buffer): Buffer {
    const header: Header = {
      sender: id,
      incarnation,
      sequence: sequence++,
      stampMs: clock.nowMs(),
    };
    return sealer.seal(encodeEnvelope(PROBING, header, kind, body));
  }

  function answer(nonce: Buffer, sizeBytes: number, to: ProbePlace): void {
    const body = Buffer.alloc(NONCE_BYTES + 2);
    nonce.copy(body, 0, 0, NONCE_BYTES);
    body.writeUInt16BE(sizeBytes, NONCE_BYTES);
    options.send(encode(KIND.answer, body), to);
  }

  return {
    take(bytes, from) {
      if (readMagic(bytes) !== PROBING.magic) return false;
      if (gate.admit(bytes, from.address, clock.monotonicMs(), clock.nowMs()) === undefined)
        return true;
      const { kind, body } = readBody(bytes);
      if (body.length < NONCE_BYTES) return true;
      if (kind === KIND.question) answer(body, bytes.length, from);
      else if (kind === KIND.answer && body.length === NONCE_BYTES + 2) {
        const asked = waiting.get(body.readUIntBE(0, NONCE_BYTES));
        if (asked?.sizeBytes === body.readUInt16BE(NONCE_BYTES)) asked.answered();
      }
      return true;
    },
    async probe(place, sizeBytes, patienceMs) {
      const family = place.address.includes(":") ? 6 : 4;
      const empty = encode(KIND.question, Buffer.alloc(0)).length + NONCE_BYTES;
      const padding = Math.min(sizeBytes, PROBE_BYTES_MAX) - HEADERS_BYTES[family] - empty;
      const body = Buffer.alloc(NONCE_BYTES + Math.max(0, padding));
      const nonce = options.makeNonce();
      body.writeUIntBE(nonce, 0, NONCE_BYTES);
      const bytes = encode(KIND.question, body);
      const stop = new AbortController();
      waiting.set(nonce, { sizeBytes: bytes.length, answered: () => stop.abort() });
      options.send(bytes, place);
      try {
        await clock.sleep(patienceMs, stop.signal);
        // A process that had no turn has not read its socket yet when its timers end.
        await clock.sleep(GRACE_MS, stop.signal);
        return false;
      } catch {
        return true;
      } finally {
        waiting.delete(nonce);
      }
    },
  };
}
