// SPDX-License-Identifier: Apache-2.0
// What every way of exchanging messages is measured by: the same senders, receivers and questions, however they travel.

/** Bytes of a message. */
export const MESSAGE_BYTES = 128;

/** One end that receives; it answers questions with what they ask. */
export interface Receiving extends AsyncDisposable {
  /** What a sender has to be told to reach it. */
  readonly address: string;
}

/** One end that sends, to all the receivers it was given. */
export interface Sending extends AsyncDisposable {
  /** Sends one message; a promise when the next one has to wait. */
  send(payload: Buffer): Promise<void> | undefined;
  /** Resolves once what was sent has left this process. */
  flush(): Promise<void>;
  /** Asks the first receiver and waits for its answer. */
  ask(payload: Buffer): Promise<void>;
}

export interface EndOptions {
  /** Where what stands between is: a server, a hub; empty for peers without. */
  readonly broker: string;
  /** Different for each process. */
  readonly name: string;
  /** Address to listen at; the loopback by default. */
  readonly host?: string;
}

export interface Peer {
  receive(options: EndOptions & { readonly onMessage: () => void }): Promise<Receiving>;
  connect(options: EndOptions & { readonly receivers: readonly string[] }): Promise<Sending>;
}

/** Loads a package of `bench/peers`, which need not be installed when types are checked. */
export async function loadPeerPackage(name: string): Promise<unknown> {
  return import(name);
}
