// SPDX-License-Identifier: Apache-2.0
import type { Http2Session } from "node:http2";

/** Bytes that a peer may send on a stream before it is read. One stream carries a link, so it is generous. */
const STREAM_WINDOW_BYTES = 4_194_304;
const CONNECTION_WINDOW_BYTES = 16_777_216;

/** HTTP/2 settings of both ends. */
export const SETTINGS = {
  initialWindowSize: STREAM_WINDOW_BYTES,
  maxFrameSize: 1_048_576,
  maxConcurrentStreams: 1_000,
  maxHeaderListSize: 65_536,
  enablePush: false,
} as const;

const KEEPALIVE_MS = 5_000;

/**
 * Opens the connection's window and watches that the peer lives: whatever comes of it is a sign, and it is asked for one.
 * Ends the session when none comes, and tells `onSilent` so before its streams end of it.
 */
export function watchSession(
  session: Http2Session,
  keepaliveMs = KEEPALIVE_MS,
  onSilent: (error: Error) => void = () => undefined,
): void {
  session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
  let asked = false;
  let heardBytes = 0;
  let dueMs = performance.now() + keepaliveMs;
  const timer = setInterval(() => {
    if (session.destroyed || session.closed) return;
    const nowMs = performance.now();
    // A loop that was busy itself has yet to read what came meanwhile: it judges nobody.
    const wasBusy = nowMs - dueMs > keepaliveMs / 2;
    dueMs = nowMs + keepaliveMs;
    const { bytesRead } = session.socket;
    const isSilent = bytesRead === heardBytes;
    heardBytes = bytesRead;
    if (asked && isSilent && !wasBusy) {
      const error = new Error(`no answer to a keepalive for ${keepaliveMs} ms`);
      onSilent(error);
      session.destroy(error);
    } else if (!asked) asked = session.ping(() => (asked = false));
  }, keepaliveMs);
  timer.unref();
  session.once("close", () => clearInterval(timer));
}
