// SPDX-License-Identifier: Apache-2.0
// Fairlead's agents with one technique on or off, everything else being the same.
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { contract, join, rpc, stream, type Agent, type AgentOptions } from "@fairlead/sdk";
import { z } from "zod";
import type { Peer } from "./peer.ts";

/** Items that a reader wants, one after the other. */
const ITEMS = 100;
const TEXT_BYTES = 1_048_576;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NOTHING = {
  send: () => undefined,
  flush: () => Promise.resolve(),
};

const Index = z.object({ index: z.number() });
const Item = z.object({ index: z.number(), text: z.string() });
const TECHNIQUES = contract("bench-techniques", "1.0.0", {
  item: rpc({ in: Index, out: Item }),
  items: stream({ in: z.object({ count: z.number() }), item: Item }),
  put: rpc({ in: z.object({ text: z.string() }), out: z.object({ length: z.number() }) }),
});

const makeItem = (index: number) => ({ index, text: "m".repeat(100) });

function clientOf(agent: Agent, receivers: readonly string[]) {
  return agent.client(TECHNIQUES, { agent: receivers[0] ?? "" });
}

/** A peer whose `ask` does what `prepare` makes of a client. */
function createTechnique(
  prepare: (client: ReturnType<typeof clientOf>) => () => Promise<void>,
  link: NonNullable<AgentOptions["link"]> = {},
): Peer {
  const open = async (options: { broker: string; name: string; host?: string }) =>
    join({
      name: options.name,
      node: options.broker,
      link,
      ...(options.host === undefined ? {} : { listen: { host: options.host } }),
    });
  return {
    async receive(options) {
      const agent = await open(options);
      await agent.serve(TECHNIQUES, {
        item: ({ index }) => makeItem(index),
        async *items({ count }) {
          for (let index = 0; index < count; index++) yield makeItem(index);
        },
        put: ({ text }) => ({ length: text.length }),
      });
      return {
        address: options.name,
        [Symbol.asyncDispose]: async () => agent[Symbol.asyncDispose](),
      };
    },
    async connect(options) {
      const agent = await open(options);
      return {
        ...NOTHING,
        ask: prepare(clientOf(agent, options.receivers)),
        [Symbol.asyncDispose]: async () => agent[Symbol.asyncDispose](),
      };
    },
  };
}

/** All items in one stream. */
export const streaming: Peer = createTechnique((client) => async () => {
  for await (const item of client.items({ count: ITEMS })) if (item.index >= ITEMS) return;
});

/** Each item by a call. */
export const unary: Peer = createTechnique((client) => async () => {
  for (let index = 0; index < ITEMS; index++) await client.item({ index });
});

/** The project's own sources: text as it is written, without repetition that flatters. */
function readText(): string {
  const files = globSync(["**/*.{ts,md}"], {
    cwd: ROOT,
    exclude: (name) => /(^|\/)(node_modules|dist|\.[^/]+)(\/|$)/.test(name),
  });
  return files
    .sort()
    .map((file) => readFileSync(`${ROOT}${file}`, "utf8"))
    .join("\n")
    .slice(0, TEXT_BYTES);
}

function createSending(compress: "auto" | "never"): Peer {
  return createTechnique(
    (client) => {
      const text = readText();
      return async () => void (await client.put({ text }));
    },
    { compress },
  );
}

export const compressed: Peer = createSending("auto");
export const uncompressed: Peer = createSending("never");
