// SPDX-License-Identifier: Apache-2.0
// A flood is kept out by the kernel: reading 100,000 datagrams a second only to drop them takes most of a core. For the
// rest of a moment in which too many came, the socket is connected to an address that sends nothing: the kernel then
// discards all others at once, without a message to any router as leaving the group would be.
import type { Socket } from "node:dgram";
import type { Clock } from "#base/clock.ts";

export interface Tap {
  /** Counts one datagram that was read. */
  count(nowMs: number): void;
  /** When datagrams were last kept out; minus infinity: never. Monotonic. */
  readonly deafAtMs: number;
  /** How many times it was closed. */
  readonly closings: number;
  /** Leaves the socket alone from now on. */
  end(): void;
}

const MOMENT_MS = 50;
/** 6,000 a second: ten times what a thousand hosts send at the default heartbeat. */
const PER_MOMENT_MAX = 300;
/** The discard port of this host. */
const SILENCE = { port: 9, address: "127.0.0.1" } as const;

/** Watches over a socket that is bound to a group, and has a `lookup` that answers at once. */
export function createTap(socket: Socket, clock: Clock): Tap {
  const ending = new AbortController();
  let beganMs = Number.NEGATIVE_INFINITY;
  let count = 0;
  let isClosed = false;
  let deafAtMs = Number.NEGATIVE_INFINITY;
  let closings = 0;

  async function close(untilMs: number): Promise<void> {
    isClosed = true;
    closings++;
    socket.connect(SILENCE.port, SILENCE.address);
    await clock.sleep(Math.max(0, untilMs - clock.monotonicMs()), ending.signal);
    socket.disconnect();
    deafAtMs = clock.monotonicMs();
    isClosed = false;
  }

  return {
    get deafAtMs() {
      return deafAtMs;
    },
    get closings() {
      return closings;
    },
    count(nowMs) {
      if (nowMs - beganMs >= MOMENT_MS) {
        beganMs = nowMs;
        count = 0;
      }
      if (++count <= PER_MOMENT_MAX || isClosed) return;
      deafAtMs = nowMs;
      // What cannot be closed stays open, and costs more.
      close(beganMs + MOMENT_MS).catch(() => undefined);
    },
    end: () => ending.abort(),
  };
}
