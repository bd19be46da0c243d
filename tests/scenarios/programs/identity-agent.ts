// SPDX-License-Identifier: Apache-2.0
// An agent that talks by the certificate that its node gives; and, with an argument, a thief who tries what he has stolen.
import { readFileSync } from "node:fs";
import { contract, FabricError, join, openIdentity, rpc } from "@fairlead/sdk";
import { dial } from "@fairlead/fabric/grpc/dial.ts";
import { Link } from "@fairlead/fabric/link.ts";
import { z } from "zod";

const echo = contract("echo", "1.0.0", {
  say: rpc({ in: z.string(), out: z.string() }),
  /** How often the peer has answered, and what went wrong. */
  tally: rpc({
    in: z.object({}),
    out: z.object({ count: z.number(), failed: z.array(z.string()) }),
  }),
});

/** Prints who the node says that this is. */
async function tellIdentity(): Promise<void> {
  using identity = await openIdentity();
  console.log(identity.read().uri);
}

/** Joins under another's name, with the other's ticket, by the socket of this container. */
async function pose(name = "", ticket = ""): Promise<void> {
  await using _agent = await join({ name, ticket, listen: false });
  console.log("was let in");
}

/** Dials an agent as another one, with the other's certificate and key. */
async function show(name = "", address = "", directory = ""): Promise<void> {
  const [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map((file) =>
    readFileSync(`${directory}/${file}`),
  );
  const none = Buffer.alloc(0);
  const tls = { ca: ca ?? none, cert: cert ?? none, key: key ?? none };
  const link = new Link({
    transport: await dial({ address, tls }),
    dialled: true,
    self: { id: `${name}.stolen`, name, scope: "vault", ticket: "" },
    accept: () => undefined,
  });
  await link.ready;
  // The other end refuses after it has said who it is.
  await new Promise((resolve) => setTimeout(resolve, 500));
  console.log(link.closed ? "was turned away: no ticket" : "was let in");
  link.close();
}

/** Tells what the node says of one message of this service. */
async function publish(subject = ""): Promise<void> {
  await using agent = await join({ listen: false });
  await agent.publish(subject, "hello");
  console.log("was kept");
}

/** Tells what the node says of a subscription of this service. */
async function hear(pattern = ""): Promise<void> {
  await using agent = await join({ listen: false });
  await agent.on(pattern, () => undefined, { group: "test" });
  console.log("hears");
}

async function serve(): Promise<void> {
  await using agent = await join();
  let count = 0;
  const failed: string[] = [];
  await agent.serve(echo, {
    say: (text, { caller }) => `${text} for ${caller.name}`,
    tally: () => ({ count, failed }),
  });
  console.log(`joined as ${agent.scope}/${agent.name}`);
  const peer = process.env["PEER"];
  if (peer === undefined) {
    await agent.closed;
    return;
  }
  for await (const { type } of agent.watch({ name: peer })) if (type === "up") break;
  const client = agent.client(echo, { agent: peer });
  for (;;) {
    await client.say("hello").then(
      () => count++,
      (thrown: unknown) => failed.push(String(thrown)),
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const [, , deed, ...words] = process.argv;
const DEEDS: Readonly<Record<string, () => Promise<void>>> = {
  who: tellIdentity,
  pose: () => pose(...words),
  show: () => show(...words),
  publish: () => publish(...words),
  hear: () => hear(...words),
};
try {
  await (deed === undefined ? serve() : DEEDS[deed]?.());
  if (deed !== undefined) process.exit(0);
} catch (thrown) {
  console.log(`refused: ${FabricError.from(thrown).message}`);
  process.exit(1);
}
