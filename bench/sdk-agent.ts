// SPDX-License-Identifier: Apache-2.0
// The smallest agent: joins, calls another, then has nothing to do. Bundled by `sdk.ts` and run by a plain Node.
import { writeSync } from "node:fs";
import { contract, join, rpc, type StandardSchema } from "@fairlead/sdk";

/** Any JSON value, without a validation library, which not every agent has. */
const Anything: StandardSchema<unknown> = {
  "~standard": { version: 1, vendor: "bench", validate: (value) => ({ value }) },
};
const ECHO = contract("bench-echo", "1.0.0", { echo: rpc({ in: Anything, out: Anything }) });

const agent = await join({ name: "caller", node: process.argv[2] ?? "" });
await agent.client(ECHO).echo({ text: "hello" });
writeSync(1, `${performance.now() - performance.nodeTiming.bootstrapComplete}\n`);
