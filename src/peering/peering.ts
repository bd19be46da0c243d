// SPDX-License-Identifier: Apache-2.0
// The face of the room: nodes of a fleet ask each other, and each proves which node it is.
import type { X509Certificate } from "node:crypto";
import type { Duplex } from "node:stream";

/** Where a node is, and who it has to be. */
export interface PeerPlace {
  readonly id: string;
  readonly address: string;
  /** TCP port: the number of the UDP port at which it says that it lives. */
  readonly port: number;
}

/** What a node shows, and whom it believes. All PEM. */
export interface PeerMaterial {
  readonly authorities: readonly string[];
  readonly certificate: string;
  readonly key: string;
}

/** How nodes know each other. */
export interface PeerCredentials {
  /** What is in force now. */
  read(): PeerMaterial;
  /** Calls the listener when something else is in force; returns the function that ends it. */
  onChange(listener: () => void): () => void;
  /** Id of the node whose certificate it is. Its authority and its time have been checked. Throws FairleadError with why it is nobody's. */
  identify(certificate: X509Certificate): Promise<string>;
  /** Whether a node is believed still that was identified by this certificate; asked for open connections after each change. */
  isBelieved(certificate: X509Certificate): boolean;
}

/** Somebody who was turned away. */
export interface Refusal {
  readonly address: string;
  readonly reason: string;
}

/** A question, and the id of the node that asks, as its certificate proves. */
export interface PeerRequest {
  readonly from: string;
  readonly query: URLSearchParams;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** A value as JSON, or bytes as they come. */
export type PeerReply =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "stream"; readonly chunks: AsyncIterable<Uint8Array> }
  | PeerConnection;

/** A connection in both directions, for who asked for one: `take` is given it once the asker has been told. */
export interface PeerConnection {
  readonly kind: "connection";
  readonly take: (stream: Duplex) => void;
}

/** Answers; what it throws is told to the asker as a refusal with its code and its words. It may take its time. */
export type PeerHandler = (request: PeerRequest) => Promise<PeerReply>;

export interface AskOptions {
  readonly query?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Connections between nodes. Safe for concurrent use; one of a node that is believed no more is cut. */
export interface Peering extends AsyncDisposable {
  /** TCP port on which it answers. */
  readonly port: number;
  /** Answers questions of that path (`/images/find`). */
  answer(path: string, handler: PeerHandler): void;
  /**
   * Asks for a value. Throws FL1202 `peer-unreachable`, FL1203 `peer-untrusted`, and FL1204 `peer-refused` whose fact `code` is that
   * of the other's error.
   */
  ask(to: PeerPlace, path: string, options?: AskOptions): Promise<unknown>;
  /**
   * Asks for bytes, read no faster than they are taken; leaving off ends the connection. Besides what `ask` throws, reading
   * throws FL1202 when the stream is cut or stands still, and FL1205 `peer-garbled`: it ends well only when it is whole.
   */
  stream(to: PeerPlace, path: string, options?: AskOptions): Promise<AsyncIterable<Uint8Array>>;
  /**
   * Opens a connection in both directions, which is its owner's: the room looks at it no more. Throws what `ask` throws;
   * `signal` ends the attempt only.
   */
  connect(to: PeerPlace, path: string, options?: AskOptions): Promise<Duplex>;
  /** Questions that were `answered`, strangers and connections beyond the limits that were `refused`. */
  readCounters(): Readonly<Record<string, number>>;
}
