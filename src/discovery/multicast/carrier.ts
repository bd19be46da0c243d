// SPDX-License-Identifier: Apache-2.0
import type { Socket } from "node:dgram";

/** What brings datagrams to the others: a group, or a list of places. */
export interface Carrier {
  /** Where all comes in. */
  readonly ear: Socket;
  /** Address of this host that others see, where that is known. */
  readonly localAddress: string | undefined;
  /** Whether `ear` may be closed to the outside for a moment, as nothing is sent by it. */
  readonly canBeDeaf: boolean;
  /** Sends to all; calls `done` when it is on its way or lost. Never throws. */
  send(bytes: Buffer, done: () => void): void;
  /** A datagram from there was believed. */
  noteSource(address: string, port: number): void;
  /** Calls for errors of its sockets. */
  onError(listener: (error: Error) => void): void;
  close(): Promise<void>;
}
