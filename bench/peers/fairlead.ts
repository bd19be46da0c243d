// SPDX-License-Identifier: Apache-2.0
// Fairlead as its users have it: agents that joined a node, direct messages, a contract's client.
import { contract, join, rpc, type AgentOptions, type JoinOptions } from "@fairlead/sdk";
import { z } from "zod";
import type { Peer } from "./peer.ts";

const SUBJECT = "bench.messages";
/** What JSON adds to the text, so that the question has the size of a message. */
const JSON_BYTES = `{"text":""}`.length;
const Text = z.object({ text: z.string() });
const ECHO = contract("bench-echo", "1.0.0", { echo: rpc({ in: Text, out: Text }) });

/** Senders wait until all who are to hear them are known. */
async function awaitReach(count: () => Promise<number>, wanted: number): Promise<void> {
  while ((await count()) < wanted) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Where the node is, and the certificates to use where the broker has made some. */
function readBroker(broker: string): Pick<JoinOptions, "node" | "tls"> {
  const [node = "", directory] = broker.split("#");
  if (directory === undefined) return { node };
  const pathOf = (file: string): string => `${directory}/${file}`;
  const [caFile, certFile, keyFile] = [pathOf("ca.crt"), pathOf("end.crt"), pathOf("end.key")];
  return { node, tls: { caFile, certFile, keyFile } };
}

function createFairleadPeer(link: NonNullable<AgentOptions["link"]>): Peer {
  return {
    async receive({ broker, name, onMessage }) {
      const agent = await join({ name, ...readBroker(broker), link });
      agent.hear(SUBJECT, onMessage);
      await agent.serve(ECHO, { echo: (input) => input });
      return { address: name, [Symbol.asyncDispose]: async () => agent[Symbol.asyncDispose]() };
    },
    async connect({ broker, name, receivers }) {
      const agent = await join({ name, ...readBroker(broker), link });
      const [first = ""] = receivers;
      const client = agent.client(ECHO, { agent: first });
      await awaitReach(async () => agent.reach(SUBJECT), receivers.length);
      return {
        send: (payload) => agent.emit(SUBJECT, payload),
        flush: () => Promise.resolve(),
        async ask(payload) {
          await client.echo({ text: payload.toString("latin1", JSON_BYTES) });
        },
        [Symbol.asyncDispose]: async () => agent[Symbol.asyncDispose](),
      };
    },
  };
}

export const peer: Peer = createFairleadPeer({});
/** Each message leaves as a batch of its own. */
export const unbatched: Peer = createFairleadPeer({ batching: false });
