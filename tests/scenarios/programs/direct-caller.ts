// SPDX-License-Identifier: Apache-2.0
// An agent that calls another one: for each line with a number it makes so many calls and says how many were answered.
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { contract, join, rpc } from "@fairlead/sdk";
import { z } from "zod";

const echo = contract("echo", "1.0.0", {
  say: rpc({
    in: z.object({ text: z.string() }),
    out: z.object({ text: z.string(), by: z.string() }),
  }),
});
const sizeBytes = Number(process.env["TEXT_BYTES"]);
/** What compression makes no smaller than three quarters. */
const text = randomBytes(sizeBytes).toString("base64").slice(0, sizeBytes);
await using agent = await join({ kind: "agent" });
const client = agent.client(echo, { agent: process.env["PEER"] ?? "" });
console.log("joined");
for await (const line of createInterface({ input: process.stdin })) {
  let answered = 0;
  for (let call = 0; call < Number(line); call++)
    if ((await client.say.try({ text }, { timeout: "20s" })).ok) answered++;
  console.log(`answered ${answered}`);
}
