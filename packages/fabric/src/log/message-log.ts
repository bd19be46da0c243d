// SPDX-License-Identifier: Apache-2.0
// The contract of the durable log: what was published with success is delivered until each group has acknowledged it.
// It throws FabricError with the reasons `log-full`, `log-corrupt`, `log-locked` and `log-closed`.

/** Time as the log needs it; `sleep` rejects with the signal's reason when it aborts. */
export interface LogClock {
  nowMs(): number;
  monotonicMs(): number;
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
}

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

export interface KeptMessage {
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
  /**
   * A group with a name is durable; name and pattern together say which it is. Without a name it is gone when it is closed
   * or the log is opened again.
   */
  readonly name?: string;
  /** `*` for one word, a last `>` for the rest. */
  readonly pattern: string;
  /** Where a new group begins; a durable one continues where it was. */
  readonly from: "now" | "start";
  /** Time from giving a message to this handle until it is given to another. */
  readonly ackTimeoutMs: number;
  /** After so many deliveries without an acknowledgement the message becomes a dead letter. */
  readonly attemptsMax: number;
  /** Messages that this handle may hold at once. */
  readonly inFlightMax: number;
}

/**
 * A handle on a group; several of one group share its messages. A message belongs to the handle that it was given to until
 * it is settled or its time is over: settling what one does not hold does nothing. Every promise resolves only after the
 * commit, which a kill of the process survives; a loss of power may take back what was settled, not what was published.
 */
export interface Group extends AsyncDisposable {
  /**
   * Waits until there is at least one message and this handle may hold it; rejects with the signal's reason. A message that
   * the disk damaged is never given: it becomes a dead letter without a payload.
   */
  take(countMax: number, signal: AbortSignal): Promise<readonly KeptMessage[]>;
  /** What `take` would give at once: nothing when there is nothing. */
  takeNow(countMax: number): Promise<readonly KeptMessage[]>;
  /** Resolves once a message is ready that somebody may be given; gives none. Rejects with the signal's reason. */
  awaitReady(signal: AbortSignal): Promise<void>;
  /** Takes back messages that were given out before, without counting; resolves with those that nobody else was given. */
  claim(sequences: readonly number[]): Promise<readonly number[]>;
  ack(sequence: number): Promise<void>;
  /** Gives it back, to be delivered again after the delay; later messages of its key wait. */
  nack(sequence: number, options: { readonly delayMs: number }): Promise<void>;
  /** Gives all that it holds back as if it had not been given out. Closing the handle gives back too, and that counts. */
  release(): Promise<void>;
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
  /** For how long nobody has read it, and in what time it goes if that stays so; absent while it is read. */
  readonly idle?: { readonly forMs: number; readonly goesInMs: number };
}

export interface LogStats {
  readonly sizeBytes: number;
  readonly groups: readonly GroupStats[];
  /** Dead letters that are kept, by their subject. */
  readonly dead: readonly { readonly subject: string; readonly count: number }[];
}

export interface MessageLog extends AsyncDisposable {
  /** Resolves once it is on disk. Throws `log-full` when the log or its disk is full; try again later. */
  publish(
    publication: Publication,
  ): Promise<{ readonly sequence: number; readonly duplicate: boolean }>;
  openGroup(options: GroupOptions): Promise<Group>;
  stats(): LogStats;
}
