// SPDX-License-Identifier: Apache-2.0
// Length-prefixed frames on a plain socket. `tcp` fills buffers of 64 KiB, which is the most that Node gives;
// `tcp-write` writes each frame by itself.
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import type { Peer, Sending } from "./peer.ts";

const PREFIX_BYTES = 4;
const BUFFER_BYTES = 65_536;
/** The highest bit of a prefix marks a question, which is answered. */
const QUESTION = 0x8000_0000;

/** Calls `onFrame` for each whole frame of what comes. */
function readFrames(socket: Socket, onFrame: (bytes: Buffer, question: boolean) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let position = 0;
    while (bytes.length - position >= PREFIX_BYTES) {
      const prefix = bytes.readUInt32BE(position);
      const end = position + PREFIX_BYTES + (prefix % QUESTION);
      if (end > bytes.length) break;
      onFrame(bytes.subarray(position + PREFIX_BYTES, end), prefix >= QUESTION);
      position = end;
    }
    rest = bytes.subarray(position);
  });
}

function frame(payload: Buffer, question: boolean): Buffer {
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + payload.length);
  bytes.writeUInt32BE(payload.length + (question ? QUESTION : 0), 0);
  payload.copy(bytes, PREFIX_BYTES);
  return bytes;
}

/** Writes to all sockets; a promise when one of them is full. */
function writeAll(sockets: readonly Socket[], bytes: Buffer): Promise<void> | undefined {
  const full = sockets.filter((socket) => !socket.write(bytes));
  if (full.length === 0) return undefined;
  return Promise.all(full.map((socket) => once(socket, "drain"))).then(() => undefined);
}

/** Collects frames in buffers. */
function createFiller(sockets: readonly Socket[]): Pick<Sending, "send" | "flush"> {
  let buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  let filled = 0;
  const flush = (): Promise<void> | undefined => {
    const bytes = buffer.subarray(0, filled);
    buffer = Buffer.allocUnsafe(BUFFER_BYTES);
    filled = 0;
    return bytes.length === 0 ? undefined : writeAll(sockets, bytes);
  };
  return {
    send(payload) {
      const wait = filled + PREFIX_BYTES + payload.length > buffer.length ? flush() : undefined;
      filled = buffer.writeUInt32BE(payload.length, filled);
      buffer.set(payload, filled);
      filled += payload.length;
      return wait;
    },
    flush: async () => flush(),
  };
}

async function openSocket(address: string): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port: Number(address), noDelay: true });
  await once(socket, "connect");
  return socket;
}

function createTcpPeer(filling: boolean): Peer {
  return {
    async receive({ onMessage }) {
      const server = createServer({ noDelay: true }, (socket) => {
        socket.on("error", () => undefined);
        readFrames(socket, (bytes, question) => {
          if (question) socket.write(frame(bytes, true));
          else onMessage();
        });
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      return {
        address: String(port),
        [Symbol.asyncDispose]: () => {
          server.close();
          return Promise.resolve();
        },
      };
    },
    async connect({ receivers }) {
      const sockets = await Promise.all(receivers.map(openSocket));
      const [first] = sockets;
      let answered: () => void = () => undefined;
      if (first !== undefined) readFrames(first, () => answered());
      const writer = filling
        ? createFiller(sockets)
        : {
            send: (payload: Buffer) => writeAll(sockets, frame(payload, false)),
            flush: () => Promise.resolve(),
          };
      return {
        ...writer,
        ask: async (payload) =>
          new Promise((resolve) => {
            answered = resolve;
            first?.write(frame(payload, true));
          }),
        [Symbol.asyncDispose]: () => {
          for (const socket of sockets) socket.destroy();
          return Promise.resolve();
        },
      };
    },
  };
}

export const peer: Peer = createTcpPeer(true);
export const writing: Peer = createTcpPeer(false);
