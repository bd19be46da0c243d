// SPDX-License-Identifier: Apache-2.0
// Fairlead as its users have it: agents that joined a node, direct messages, a contract's client.
import { readFileSync, writeFileSync } from "node:fs";
import { contract, join, rpc, type AgentOptions, type JoinOptions } from "@fairlead/sdk";
import { z } from "zod";
import { issueCredential, makeKey } from "../../src/identity/authority.ts";
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

/** Where the node is, and where the broker has an authority, a certificate that says who this is, as a node gives its containers. */
async function readBroker(
  broker: string,
  name: string,
): Promise<Pick<JoinOptions, "node" | "tls">> {
  const [node = "", directory] = broker.split("#");
  if (directory === undefined) return { node };
  const pathOf = (file: string): string => `${directory}/${file}`;
  const [certificate, key] = [pathOf("ca.crt"), pathOf("ca.key")].map((file) =>
    readFileSync(file, "utf8"),
  );
  const authority = { certificate: certificate ?? "", key: key ?? "", chain: [] };
  const uri = `spiffe://bench/default/${name}`;
  const own = await issueCredential(authority, { uri, key: await makeKey(), nowMs: Date.now() });
  const files = { certFile: pathOf(`${name}.crt`), keyFile: pathOf(`${name}.key`) };
  writeFileSync(files.certFile, own.certificate);
  writeFileSync(files.keyFile, own.key, { mode: 0o600 });
  return { node, tls: { caFile: pathOf("ca.crt"), ...files } };
}

function createFairleadPeer(link: NonNullable<AgentOptions["link"]>): Peer {
  return {
    async receive({ broker, name, onMessage }) {
      const agent = await join({ name, ...(await readBroker(broker, name)), link });
      agent.hear(SUBJECT, onMessage);
      await agent.serve(ECHO, { echo: (input) => input });
      return { address: name, [Symbol.asyncDispose]: async () => agent[Symbol.asyncDispose]() };
    },
    async connect({ broker, name, receivers }) {
      const agent = await join({ name, ...(await readBroker(broker, name)), link });
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
