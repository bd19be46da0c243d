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

/** Opens the connection's window and watches that the peer still answers; ends the session when it does not. */
export function watchSession(
  session: Http2Session,
  options: { readonly keepaliveMs: number; readonly timeoutMs: number },
): void {
  session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
  let answered = true;
  let sinceMs = 0;
  const timer = setInterval(
    () => {
      if (!answered && performance.now() - sinceMs >= options.timeoutMs) {
        session.destroy(new Error(`no answer to a keepalive for ${options.timeoutMs} ms`));
        return;
      }
      if (!answered || session.destroyed || session.closed) return;
      answered = false;
      sinceMs = performance.now();
      session.ping(() => (answered = true));
    },
    Math.min(options.keepaliveMs, options.timeoutMs),
  );
  timer.unref();
  session.once("close", () => clearInterval(timer));
}
