// SPDX-License-Identifier: Apache-2.0
// One question to one name server and its answer, over UDP or TCP.
import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";

/** Where a server listens. */
export interface Endpoint {
  /** IP address. */
  readonly address: string;
  readonly port: number;
}

export interface Exchange {
  readonly server: Endpoint;
  readonly bytes: Buffer;
  /** Whether a message is the answer to it; others are not looked at. */
  readonly isAnswer: (bytes: Buffer) => boolean;
  readonly timeoutMs: number;
  /** Ends waiting as if nothing had come. */
  readonly signal: AbortSignal;
}

const FRAME_HEADER_BYTES = 2;

/** Asks from a port of its own, which a forger would have to guess too. Resolves with undefined when nothing comes. */
export function exchangeUdp(exchange: Exchange): Promise<Buffer | undefined> {
  const { server, bytes, isAnswer, timeoutMs, signal } = exchange;
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(server.address) ? "udp6" : "udp4");
    const finish = (answer: Buffer | undefined): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
      socket.removeAllListeners("message").removeAllListeners("connect");
      resolve(answer);
      try {
        socket.close();
      } catch {
        // Closed already by what made it fail.
      }
    };
    const giveUp = (): void => finish(undefined);
    const timer = setTimeout(giveUp, timeoutMs);
    signal.addEventListener("abort", giveUp);
    socket.on("error", giveUp);
    socket.on("message", (message) => {
      if (isAnswer(message)) finish(message);
    });
    // Connected: the kernel passes on only what that server sends.
    socket.on("connect", () => socket.send(bytes));
    socket.connect(server.port, server.address);
  });
}

/** A message as it travels over TCP: with its length in front. */
export function frame(bytes: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(FRAME_HEADER_BYTES + bytes.length);
  framed.writeUInt16BE(bytes.length, 0);
  bytes.copy(framed, FRAME_HEADER_BYTES);
  return framed;
}

/** Cuts messages out of what has arrived; returns them and what is left. */
export function unframe(received: Buffer): { messages: Buffer[]; rest: Buffer } {
  const messages: Buffer[] = [];
  let at = 0;
  while (received.length - at >= FRAME_HEADER_BYTES) {
    const end = at + FRAME_HEADER_BYTES + received.readUInt16BE(at);
    if (end > received.length) break;
    messages.push(received.subarray(at + FRAME_HEADER_BYTES, end));
    at = end;
  }
  return { messages, rest: received.subarray(at) };
}

/** The same over TCP, for answers that are too long for a datagram. */
export function exchangeTcp(exchange: Exchange): Promise<Buffer | undefined> {
  const { server, bytes, isAnswer, timeoutMs, signal } = exchange;
  return new Promise((resolve) => {
    const socket = connect({ host: server.address, port: server.port });
    let received: Buffer = Buffer.alloc(0);
    const finish = (answer: Buffer | undefined): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
      socket.destroy();
      resolve(answer);
    };
    const giveUp = (): void => finish(undefined);
    const timer = setTimeout(giveUp, timeoutMs);
    signal.addEventListener("abort", giveUp);
    socket.on("error", giveUp);
    socket.on("close", giveUp);
    socket.on("connect", () => socket.write(frame(bytes)));
    socket.on("data", (chunk: Buffer) => {
      const cut = unframe(Buffer.concat([received, chunk]));
      received = cut.rest;
      const answer = cut.messages.find(isAnswer);
      if (answer !== undefined) finish(answer);
    });
  });
}
