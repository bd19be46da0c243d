// SPDX-License-Identifier: Apache-2.0
// Bare links: one that is kept, or a new one for each exchange.
import { dial } from "@fairlead/fabric/grpc/dial.ts";
import { listen } from "@fairlead/fabric/grpc/listen.ts";
import { Link } from "@fairlead/fabric/link.ts";
import type { Peer } from "./peer.ts";

const OPEN = {
  target: "",
  method: "$bench/echo",
  deadlineMs: 0,
  caller: "",
  hops: 0,
  proof: "",
  idempotent: true,
  streams: false,
};
const SELF = { id: "bench", name: "bench", scope: "bench" };

async function openLink(address: string): Promise<Link> {
  const link = new Link({
    transport: await dial({ address }),
    dialled: true,
    self: SELF,
    accept: () => undefined,
  });
  await link.ready;
  return link;
}

async function exchange(link: Link, payload: Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const conversation = link.open(OPEN, { payload });
  conversation.handlers = {
    onItem: () => undefined,
    onEnd: () => resolve(),
    onCancel: () => undefined,
    onRoom: () => undefined,
  };
  await promise;
}

function createLinks(keep: boolean): Peer {
  return {
    async receive() {
      const listener = await listen({
        at: { host: "127.0.0.1", port: 0 },
        onTransport: (transport) =>
          void new Link({
            transport,
            dialled: false,
            self: SELF,
            accept: (conversation) => conversation.end(conversation.first),
          }),
      });
      return {
        address: listener.address,
        [Symbol.asyncDispose]: async () => listener[Symbol.asyncDispose](),
      };
    },
    async connect({ receivers }) {
      const [address = ""] = receivers;
      const kept = keep ? await openLink(address) : undefined;
      return {
        send: () => undefined,
        flush: () => Promise.resolve(),
        async ask(payload) {
          const link = kept ?? (await openLink(address));
          await exchange(link, payload);
          if (kept === undefined) link.close();
        },
        [Symbol.asyncDispose]: () => {
          kept?.close();
          return Promise.resolve();
        },
      };
    },
  };
}

export const kept: Peer = createLinks(true);
export const redialled: Peer = createLinks(false);
