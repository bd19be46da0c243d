// SPDX-License-Identifier: Apache-2.0
// The contract of the durable log: what was published with success is delivered until each group has acknowledged it.

export interface Publication {
  readonly subject: string;
  readonly payload: Uint8Array;
  /** Messages of one key are given to a group one after the other, in order. */
  readonly key?: string;
  /** The same id within the dedupe window is stored once. */
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  /** When it was sent, milliseconds since 1970. */
  readonly atMs: number;
}

export interface Message {
  readonly sequence: number;
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly key: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** 1 for the first delivery to this group; survives a restart. */
  readonly attempt: number;
  readonly publishedAtMs: number;
}

export interface GroupOptions {
  /** A named group is durable. Without a name it is gone when it is closed or the log is opened again. */
  readonly name?: string;
  /** `*` for one word, a last `>` for the rest. */
  readonly pattern: string;
  /** Where a new group begins; a durable one continues where it was. */
  readonly from: "now" | "start";
  readonly ackTimeoutMs: number;
  /** After so many deliveries without an acknowledgement the message becomes a dead letter. */
  readonly attemptsMax: number;
  readonly inFlightMax: number;
}

/** Every promise resolves only after the commit. Acknowledging what is not in flight does nothing. */
export interface Group extends AsyncDisposable {
  /**
   * Waits until there is at least one message; rejects with the signal's reason. A message that the disk damaged is never
   * given: it becomes a dead letter without a payload.
   */
  take(countMax: number, signal: AbortSignal): Promise<readonly Message[]>;
  ack(sequence: number): Promise<void>;
  /** Gives it back, to be delivered again after the delay; later messages of its key wait. */
  nack(sequence: number, options: { readonly delayMs: number }): Promise<void>;
  /** Moves it to `<subject>.dead` with headers that name the reason, the original and its attempts. */
  reject(sequence: number, reason: string): Promise<void>;
}

export interface GroupStats {
  readonly group: string;
  readonly subject: string;
  readonly waiting: number;
  readonly inFlight: number;
  /** When the oldest message not acknowledged was published, milliseconds since 1970. */
  readonly oldestAtMs: number;
  /** Messages not acknowledged that were delivered more than once. */
  readonly redelivered: number;
}

export interface LogStats {
  readonly sizeBytes: number;
  readonly groups: readonly GroupStats[];
  /** Dead letters that are kept, by their subject. */
  readonly dead: readonly { readonly subject: string; readonly count: number }[];
}

export interface MessageLog extends AsyncDisposable {
  /** Throws FL0970 when the log or its disk is full; try again later. */
  publish(
    publication: Publication,
  ): Promise<{ readonly sequence: number; readonly duplicate: boolean }>;
  openGroup(options: GroupOptions): Promise<Group>;
  stats(): LogStats;
}
