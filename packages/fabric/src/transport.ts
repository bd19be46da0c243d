// SPDX-License-Identifier: Apache-2.0
import type { FabricError } from "./errors.ts";

/** Bytes that a sender leaves free at the start of a batch's first part, for the framing of the transport. */
export const HEADROOM = 5;

export interface TransportReceiver {
  /** One whole batch, in the order of sending. The bytes are the receiver's. */
  onBatch(bytes: Buffer): void;
  /** `send` may be called again after it returned false. */
  onReady(): void;
  /** Called once; nothing follows. Undefined when the peer closed in order. */
  onClosed(error: FabricError | undefined): void;
}

/** Carries whole batches, reliably and in order, between two peers. */
export interface Transport {
  /** Where the peer is, for people: `10.0.0.2:40312`, `unix:/run/fairlead.sock`. */
  readonly peerAddress: string;
  /** The SPIFFE id that the peer has proved by its certificate; undefined without TLS, or where it has none. */
  readonly peerId?: string | undefined;
  /** True when the peer is on this machine, so that compressing would only cost. */
  readonly local: boolean;
  /** Begins to deliver; called once, before anything else. */
  start(receiver: TransportReceiver): void;
  /**
   * Sends a batch given in parts; the first has `HEADROOM` bytes to spare at its start, which `sizeBytes` does not count.
   * The parts must not change afterwards. False when the caller should wait for `onReady`.
   */
  send(parts: readonly Uint8Array[], sizeBytes: number): boolean;
  /** Sends what was given, then ends. */
  close(): void;
  /** Ends at once. */
  destroy(error: FabricError): void;
}
