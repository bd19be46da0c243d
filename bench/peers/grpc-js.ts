// SPDX-License-Identifier: Apache-2.0
// gRPC's own library for Node: a bidirectional stream, one message a frame or 256 messages in one.
import { once } from "node:events";
import {
  credentials,
  Client,
  Server,
  ServerCredentials,
  type ClientDuplexStream,
  type ServerDuplexStream,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { MESSAGE_BYTES, type Peer } from "./peer.ts";

const BATCH = 256;
const MAX_BYTES = 16_777_216;
const pass = (bytes: Buffer): Buffer => bytes;
const codec = {
  requestSerialize: pass,
  requestDeserialize: pass,
  responseSerialize: pass,
  responseDeserialize: pass,
};
const SERVICE = {
  send: { path: "/bench.Bench/Send", requestStream: true, responseStream: true, ...codec },
  ask: { path: "/bench.Bench/Ask", requestStream: true, responseStream: true, ...codec },
} satisfies ServiceDefinition;

type Stream = ClientDuplexStream<Buffer, Buffer>;

function openStream(address: string, path: string): { client: Client; stream: Stream } {
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.max_receive_message_length": MAX_BYTES,
  });
  const stream = client.makeBidiStreamRequest(path, pass, pass);
  stream.on("error", () => undefined);
  stream.resume();
  return { client, stream };
}

async function receive(onMessage: () => void) {
  const server = new Server({ "grpc.max_receive_message_length": MAX_BYTES });
  server.addService(SERVICE, {
    send(stream: ServerDuplexStream<Buffer, Buffer>) {
      stream.on("data", (bytes: Buffer) => {
        for (let from = 0; from < bytes.length; from += MESSAGE_BYTES) onMessage();
      });
      stream.on("error", () => undefined);
      stream.on("end", () => stream.end());
    },
    ask(stream: ServerDuplexStream<Buffer, Buffer>) {
      stream.on("data", (bytes: Buffer) => stream.write(bytes));
      stream.on("error", () => undefined);
      stream.on("end", () => stream.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return {
    address: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}

function createGrpcPeer(batch: number): Peer {
  return {
    receive: ({ onMessage }) => receive(onMessage),
    connect({ receivers }) {
      const ends = receivers.map((address) => openStream(address, SERVICE.send.path));
      const question = openStream(receivers[0] ?? "", SERVICE.ask.path);
      let waiting: Buffer[] = [];
      const write = (): Promise<void> | undefined => {
        const bytes = waiting.length === 1 ? waiting[0] : Buffer.concat(waiting);
        waiting = [];
        const full = ends.filter(({ stream }) => !stream.write(bytes ?? Buffer.alloc(0)));
        if (full.length === 0) return undefined;
        return Promise.all(full.map(({ stream }) => once(stream, "drain"))).then(() => undefined);
      };
      return Promise.resolve({
        send(payload) {
          waiting.push(payload);
          return waiting.length >= batch ? write() : undefined;
        },
        flush: async () => (waiting.length === 0 ? undefined : write()),
        async ask(payload) {
          const answer = once(question.stream, "data");
          question.stream.write(payload);
          await answer;
        },
        [Symbol.asyncDispose]: () => {
          for (const { client } of [...ends, question]) client.close();
          return Promise.resolve();
        },
      });
    },
  };
}

export const peer: Peer = createGrpcPeer(1);
export const batched: Peer = createGrpcPeer(BATCH);
