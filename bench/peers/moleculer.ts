// SPDX-License-Identifier: Apache-2.0
// Moleculer with its TCP transporter: no server in between. Its messages are JSON, so the payload is a text of that size.
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { loadPeerPackage, type Peer } from "./peer.ts";

/** Events after which the sender waits for them. */
const TURN = 256;

interface Broker {
  createService(schema: object): unknown;
  start(): Promise<void>;
  stop(): Promise<void>;
  broadcast(event: string, data: unknown): Promise<void>;
  call(action: string, data: unknown, options: { nodeID: string }): Promise<unknown>;
  waitForServices(names: string[]): Promise<unknown>;
  readonly registry: { getNodeList(options: object): readonly { readonly id: string }[] };
}
interface Moleculer {
  readonly ServiceBroker: new (options: object) => Broker;
}

async function findPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function openBroker(nodeID: string, port: number, urls: readonly string[]): Promise<Broker> {
  const loaded = (await loadPeerPackage("moleculer")) as { readonly default: Moleculer };
  return new loaded.default.ServiceBroker({
    nodeID,
    logger: false,
    transporter: {
      type: "TCP",
      options: { udpDiscovery: false, port, urls, maxPacketSize: 16_777_216 },
    },
  });
}

export const peer: Peer = {
  async receive({ name, onMessage }) {
    const port = await findPort();
    const broker = await openBroker(name, port, []);
    broker.createService({
      name: "bench",
      actions: { ask: (context: { readonly params: unknown }) => context.params },
      events: { "bench.message": onMessage },
    });
    await broker.start();
    return {
      address: `tcp://127.0.0.1:${port}/${name}`,
      [Symbol.asyncDispose]: async () => broker.stop(),
    };
  },
  async connect({ name, receivers }) {
    const port = await findPort();
    const broker = await openBroker(name, port, receivers);
    await broker.start();
    await broker.waitForServices(["bench"]);
    const [first = ""] = receivers;
    const nodeID = first.slice(first.lastIndexOf("/") + 1);
    let text = "";
    let sent = 0;
    const asText = (payload: Buffer): string => (text ||= payload.toString("latin1"));
    return {
      send(payload) {
        const done = broker.broadcast("bench.message", { text: asText(payload) });
        return ++sent % TURN === 0 ? done : undefined;
      },
      flush: () => Promise.resolve(),
      async ask(payload) {
        await broker.call("bench.ask", { text: asText(payload) }, { nodeID });
      },
      [Symbol.asyncDispose]: async () => broker.stop(),
    };
  },
};
