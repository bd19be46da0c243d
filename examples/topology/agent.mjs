// SPDX-License-Identifier: Apache-2.0
// An agent that tells the others a word each second, and says whom it reached and whom it may not.
import { contract, join, rpc, FabricError } from "/app/sdk.js";

/** Any text; a validator would stand here. */
const text = {
  "~standard": {
    version: 1,
    vendor: "example",
    validate: (value) =>
      typeof value === "string" ? { value } : { issues: [{ message: "is no text" }] },
  },
};
const gossip = contract("gossip", "1.0.0", {
  tell: rpc({ in: text, out: text, idempotent: true }),
});
const agent = await join({ kind: "agent" });
await agent.serve(gossip, {
  tell: (word, { caller }) => `${agent.name} heard ${word} of ${caller.name}`,
});
process.once("SIGTERM", () => agent.drain("1s").then(() => process.exit(0)));

let last = "";
for (let turn = 1; ; turn++) {
  const told = [];
  const refused = [];
  for (const { name } of await agent.find({ kind: "agent" })) {
    if (name === agent.name) continue;
    const outcome = await agent
      .client(gossip, { agent: name })
      .tell.try(`word ${turn}`, { timeout: "2s" });
    if (outcome.ok) told.push(name);
    else if (outcome.error instanceof FabricError && outcome.error.reason === "no-link")
      refused.push(name);
  }
  const line = `told ${told.sort().join(" ") || "nobody"}; no link to ${refused.sort().join(" ") || "nobody"}`;
  if (line !== last) console.log(line);
  last = line;
  await new Promise((resolve) => setTimeout(resolve, 1_000));
}
