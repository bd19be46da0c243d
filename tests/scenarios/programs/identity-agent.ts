// SPDX-License-Identifier: Apache-2.0
// An agent that talks by the certificate that its node gives; and, with an argument, a thief who tries what he has stolen.
import { readFileSync } from "node:fs";
import { dial, openSession } from "@fairlead/fabric/grpc/dial.ts";
import { Link } from "@fairlead/fabric/link.ts";
import { contract, FabricError, join, openIdentity, rpc, type Agent } from "@fairlead/sdk";
import { z } from "zod";

const echo = contract("echo", "1.0.0", {
  say: rpc({ in: z.string(), out: z.string() }),
  /** How often the peer has answered, how many connections to it were opened besides, and what went wrong. */
  tally: rpc({
    in: z.object({}),
    out: z.object({ count: z.number(), opened: z.number(), failed: z.array(z.string()) }),
  }),
});

/** Calls a second. */
const RATE = Number(process.env["RATE"] ?? 50);
/** One connection for so many calls, by the certificate of the moment. */
const CALLS_PER_CONNECTION = 10;

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

interface Tally {
  count: number;
  opened: number;
  readonly failed: string[];
}

/** Calls a peer RATE times a second, however long an answer takes, and opens connections to it besides. */
async function callAllTheTime(agent: Agent, peer: string, tally: Tally): Promise<never> {
  for await (const { type } of agent.watch({ name: peer })) if (type === "up") break;
  const client = agent.client(echo, { agent: peer });
  using identity = await openIdentity();
  const fail = (thrown: unknown): void =>
    void tally.failed.push(`${new Date().toISOString()} ${String(thrown)}`);
  async function call(): Promise<void> {
    await client.say("hello");
    tally.count++;
  }
  async function open(): Promise<void> {
    const [record] = await agent.find({ name: peer });
    const address = record?.addresses[0] ?? "";
    const { session } = await openSession({ address, tls: identity.read() });
    session.on("error", () => undefined).destroy();
    tally.opened++;
  }
  const beganMs = performance.now();
  for (let turn = 0; ; turn++) {
    const waitMs = beganMs + (turn * 1_000) / RATE - performance.now();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, waitMs)));
    call().catch(fail);
    if (turn % CALLS_PER_CONNECTION === 0) open().catch(fail);
  }
}

async function serve(): Promise<void> {
  await using agent = await join();
  const tally: Tally = { count: 0, opened: 0, failed: [] };
  await agent.serve(echo, {
    say: (text, { caller }) => `${text} for ${caller.name}`,
    tally: () => tally,
  });
  console.log(`joined as ${agent.scope}/${agent.name}`);
  const peer = process.env["PEER"];
  if (peer === undefined) await agent.closed;
  else await callAllTheTime(agent, peer, tally);
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
