// SPDX-License-Identifier: Apache-2.0
// The same agent with a contract in zod. Bundled by `sdk.ts` and run by a plain Node.
import { writeSync } from "node:fs";
import { contract, join, rpc } from "@fairlead/sdk";
import { z } from "zod";

const Text = z.object({ text: z.string() });
const ECHO = contract("bench-echo", "1.0.0", { echo: rpc({ in: Text, out: Text }) });

const agent = await join({ name: "caller", node: process.argv[2] ?? "" });
await agent.client(ECHO).echo({ text: "hello" });
writeSync(1, `${performance.now() - performance.nodeTiming.bootstrapComplete}\n`);
