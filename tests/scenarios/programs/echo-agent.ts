// SPDX-License-Identifier: Apache-2.0
// An agent for containers: answers, hears, and says what it sees.
import { contract, join, rpc } from "@fairlead/sdk";
import { z } from "zod";

const startedMs = performance.now();
const echo = contract("echo", "1.0.0", {
  say: rpc({
    in: z.object({ text: z.string() }),
    out: z.object({ text: z.string(), by: z.string() }),
  }),
});
await using agent = await join({ kind: "agent", skills: ["echo"] });
await agent.serve(echo, {
  say: ({ text }, { caller }) => ({ text: `${text} for ${caller.name}`, by: agent.id }),
});
agent.hear("tick.*", ({ subject, data }) =>
  console.log(`heard ${subject} ${JSON.stringify(data)}`),
);
const peer = process.env["PEER"];
if (peer !== undefined) {
  for await (const { type } of agent.watch({ name: peer })) if (type === "up") break;
  const { text } = await agent.client(echo, { agent: peer }).say({ text: "hello" });
  console.log(`first answer after ${(performance.now() - startedMs).toFixed(0)} ms: ${text}`);
}
process.once("SIGTERM", () => void agent.drain("2s").then(() => process.exit(0)));
console.log(`joined as ${agent.scope}/${agent.name}`);
await agent.closed;
