// SPDX-License-Identifier: Apache-2.0
// MQTT: mqtt.js through mosquitto, quality of service 0, as direct messages are.
import { loadPeerPackage, type Peer } from "./peer.ts";

const TOPIC = "bench/messages";
/** Messages after which the publisher waits for its socket. */
const TURN = 1_024;

interface Client {
  subscribeAsync(topic: string): Promise<unknown>;
  publish(topic: string, payload: Buffer): unknown;
  publishAsync(topic: string, payload: Buffer): Promise<unknown>;
  on(event: "message", listener: (topic: string, payload: Buffer) => void): unknown;
  endAsync(): Promise<void>;
}
interface Mqtt {
  connectAsync(url: string, options: { clientId: string }): Promise<Client>;
}

async function connect(url: string, clientId: string): Promise<Client> {
  const loaded = (await loadPeerPackage("mqtt")) as { readonly default: Mqtt };
  return loaded.default.connectAsync(url, { clientId });
}

export const peer: Peer = {
  async receive({ broker, name, onMessage }) {
    const client = await connect(broker, name);
    client.on("message", (topic, payload) => {
      if (topic === TOPIC) onMessage();
      else client.publish(`answers/${name}`, payload);
    });
    await client.subscribeAsync(TOPIC);
    await client.subscribeAsync(`questions/${name}`);
    return { address: name, [Symbol.asyncDispose]: async () => client.endAsync() };
  },
  async connect({ broker, name, receivers }) {
    const client = await connect(broker, name);
    const [first = ""] = receivers;
    let answered: () => void = () => undefined;
    let sent = 0;
    client.on("message", () => answered());
    await client.subscribeAsync(`answers/${first}`);
    return {
      send(payload) {
        if (++sent % TURN === 0) return client.publishAsync(TOPIC, payload).then(() => undefined);
        client.publish(TOPIC, payload);
        return undefined;
      },
      flush: () => Promise.resolve(),
      ask: async (payload) =>
        new Promise((resolve) => {
          answered = resolve;
          client.publish(`questions/${first}`, payload);
        }),
      [Symbol.asyncDispose]: async () => client.endAsync(),
    };
  },
};
