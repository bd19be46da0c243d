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
 * Opens the connection's window and watches that the peer still answers; ends the session when it does not, and tells
 * `onSilent` so before its streams end of it.
 */
export function watchSession(
  session: Http2Session,
  keepaliveMs = KEEPALIVE_MS,
  onSilent: (error: Error) => void = () => undefined,
): void {
  session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
  let answered = true;
  const timer = setInterval(() => {
    if (session.destroyed || session.closed) return;
    if (!answered) {
      const error = new Error(`no answer to a keepalive for ${keepaliveMs} ms`);
      onSilent(error);
      session.destroy(error);
      return;
    }
    answered = false;
    session.ping(() => (answered = true));
  }, keepaliveMs);
  timer.unref();
  session.once("close", () => clearInterval(timer));
}
