// SPDX-License-Identifier: Apache-2.0
// Whether others connect to a host that has no certificate yet: who wants to know tells them a word, and opens a door at
// which nothing but that word is taken.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { FairleadError } from "#base/errors.ts";
import { peeringErrors } from "./errors.ts";
import { listen, stopListening } from "./listen.ts";

export interface KnockPlace {
  readonly address: string;
  /** TCP port. */
  readonly port: number;
}

/** A port that is open until it is disposed of. */
export interface Door extends AsyncDisposable {
  /** Resolves when somebody has said the word. */
  readonly heard: Promise<void>;
}

const KNOCK_MS = 3_000;
const CONNECTIONS_MAX = 16;

/** Connects, and says the word. Throws FL1202 `peer-unreachable` after 3 s at the latest. */
export async function knock({ address, port }: KnockPlace, word: string): Promise<void> {
  const socket = connect({ host: address, port });
  socket.on("error", () => undefined);
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(KNOCK_MS) });
    const ended = once(socket, "close", { signal: AbortSignal.timeout(KNOCK_MS) });
    socket.end(word);
    socket.resume();
    await ended;
  } catch (cause) {
    const message = `${address}:${port} does not answer`;
    throw new FairleadError(peeringErrors["peer-unreachable"], message, { cause });
  } finally {
    socket.destroy();
  }
}

/** Reads no more than the word is long. */
function takeWord(socket: Socket, word: string, onHeard: () => void): void {
  let said = "";
  socket.setEncoding("latin1").setTimeout(KNOCK_MS, () => socket.destroy());
  socket.on("error", () => undefined);
  socket.on("data", (text: string) => {
    said += text;
    if (said === word) onHeard();
    if (said.length >= word.length) socket.destroy();
  });
}

/** Opens the door. `word` is ASCII. Throws FL1201 `peering-listen`. */
export async function openDoor(place: KnockPlace, word: string): Promise<Door> {
  const heard = Promise.withResolvers<void>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    takeWord(socket, word, heard.resolve);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, place);
  return {
    heard: heard.promise,
    [Symbol.asyncDispose]: () => stopListening(server, sockets),
  };
}
