// SPDX-License-Identifier: Apache-2.0

/** What the API needs to know; the node makes it from its configuration. */
export interface ApiSettings {
  /** Version of Fairlead. */
  readonly version: string;
  /** Bearer token, at least 32 characters; the node keeps it in a file that only its user can read. */
  readonly token: string;
  /** Where the built page lies; absent means that no page is served. */
  readonly pageDirectory?: string;
  readonly limits: ApiLimits;
}

/** Bounds, each with what raising it costs. */
export interface ApiLimits {
  /** Largest JSON body. Costs about four times as much memory while it is read. */
  readonly bodyBytesMax: number;
  /** Deepest nesting of a JSON body. */
  readonly bodyDepthMax: number;
  /** How long a JSON body may take to arrive. */
  readonly bodyTimeMs: number;
  /** Largest build context. It is streamed and costs no memory. */
  readonly buildBytesMax: number;
  /** How long one operation may take before the answer is 504. Streams have no limit. */
  readonly operationTimeMs: number;
  /** Open event, log and usage streams. Each costs a socket and up to streamBytesMax. */
  readonly streamsMax: number;
  /** Events kept for one client that does not read; then it gets `lagged` and is closed. */
  readonly streamBytesMax: number;
  /** How often a quiet stream says that it is alive. */
  readonly beatMs: number;
  /** Wrong tokens and links in a minute before the answer is 429. */
  readonly failuresPerMinuteMax: number;
  /** Requests of one client over TCP, each second for long and at once at most, before the answer is 429. */
  readonly requestsPerSecondMax: number;
  readonly requestsAtOnceMax: number;
  readonly linkTtlMs: number;
  readonly sessionTtlMs: number;
  /** Open connections per listener. */
  readonly connectionsMax: number;
}

/** The limits of a node that sets none. */
export const API_LIMITS: ApiLimits = {
  bodyBytesMax: 16 * 1024 * 1024,
  bodyDepthMax: 64,
  bodyTimeMs: 30_000,
  buildBytesMax: 4 * 1024 * 1024 * 1024,
  operationTimeMs: 60_000,
  streamsMax: 64,
  streamBytesMax: 1024 * 1024,
  beatMs: 5_000,
  failuresPerMinuteMax: 10,
  requestsPerSecondMax: 100,
  requestsAtOnceMax: 500,
  linkTtlMs: 600_000,
  sessionTtlMs: 12 * 3_600_000,
  connectionsMax: 512,
};
