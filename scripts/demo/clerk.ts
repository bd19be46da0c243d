// SPDX-License-Identifier: Apache-2.0
// One agent of the demo of a fleet, a program of its own in its host's network: it answers where it is, and asks others when
// it is told to. Arguments: the fabric of its node, the scope, its name.
import { contract, join, rpc } from "@fairlead/sdk";
import { z } from "zod";

const clerk = contract("clerk", "1.0.0", {
  greet: rpc({ in: z.object({}), out: z.object({ text: z.string() }), idempotent: true }),
});

const Order = z.object({ ask: z.string().optional() });

const [, , node = "", scope = "", name = ""] = process.argv;
const agent = await join({ name, node, scope, kind: "agent" });
await agent.serve(clerk, {
  greet: async (_, { caller }) => ({ text: `${name} greets ${caller.name}` }),
});

async function ask(order: unknown): Promise<string> {
  const { ask: whom } = Order.parse(order);
  const client = agent.client(clerk, whom === undefined ? {} : { agent: whom });
  const outcome = await client.greet.try({}, { timeout: "10s" });
  return outcome.ok ? outcome.value.text : `no answer: ${outcome.error.message}`;
}

process.on("message", (order) => void ask(order).then((said) => process.send?.({ said })));
process.send?.({ ready: true });
