// SPDX-License-Identifier: Apache-2.0
// An agent that moves containers when it is told to, from inside of its own.
import { contract, FabricError, join, rpc } from "@fairlead/sdk";
import { z } from "zod";

const hands = contract("hands", "1.0.0", {
  list: rpc({
    in: z.object({ labels: z.record(z.string(), z.string()).optional() }),
    out: z.object({ seen: z.array(z.string()) }),
  }),
  act: rpc({
    in: z.object({ act: z.enum(["start", "stop", "restart"]), container: z.string() }),
    out: z.object({ state: z.string() }),
  }),
});
await using agent = await join({ kind: "agent" });
await agent.serve(hands, {
  async list({ labels = {} }) {
    const found = await agent.engine.list({ labels });
    return {
      seen: found.map(({ name, state, own }) => `${name} ${state}${own ? " own" : ""}`).toSorted(),
    };
  },
  async act({ act, container }) {
    try {
      return { state: (await agent.engine[act](container, { timeout: "20s" })).state };
    } catch (error) {
      return { state: FabricError.from(error).message };
    }
  },
});
process.once("SIGTERM", () => void agent.drain("2s").then(() => process.exit(0)));
await agent.closed;
