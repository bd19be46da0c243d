// SPDX-License-Identifier: Apache-2.0
// NATS: its own client through its own server.
import { loadPeerPackage, type Peer } from "./peer.ts";

const SUBJECT = "bench.messages";
const QUESTIONS = "bench.questions";

interface Msg {
  readonly data: Uint8Array;
  respond(data: Uint8Array): boolean;
}
interface Connection {
  publish(subject: string, data: Uint8Array): void;
  subscribe(subject: string, options: { callback: (error: unknown, msg: Msg) => void }): unknown;
  request(subject: string, data: Uint8Array, options: { timeout: number }): Promise<Msg>;
  flush(): Promise<void>;
  close(): Promise<void>;
}
interface Nats {
  connect(options: { servers: string; noAsyncTraces: boolean }): Promise<Connection>;
}

async function connect(servers: string): Promise<Connection> {
  const nats = (await loadPeerPackage("@nats-io/transport-node")) as Nats;
  return nats.connect({ servers, noAsyncTraces: true });
}

export const peer: Peer = {
  async receive({ broker, name, onMessage }) {
    const connection = await connect(broker);
    connection.subscribe(SUBJECT, { callback: onMessage });
    connection.subscribe(`${QUESTIONS}.${name}`, {
      callback: (_, msg) => void msg.respond(msg.data),
    });
    await connection.flush();
    return { address: name, [Symbol.asyncDispose]: async () => connection.close() };
  },
  async connect({ broker, receivers }) {
    const connection = await connect(broker);
    const [first = ""] = receivers;
    return {
      // Never waits: flushing every 256 to 65,536 messages was measured too, and slower.
      send(payload) {
        connection.publish(SUBJECT, payload);
        return undefined;
      },
      flush: async () => connection.flush(),
      async ask(payload) {
        await connection.request(`${QUESTIONS}.${first}`, payload, { timeout: 5_000 });
      },
      [Symbol.asyncDispose]: async () => connection.close(),
    };
  },
};
