// SPDX-License-Identifier: Apache-2.0
// The same agent in a container: what it needs to join it has been given. Bundled by `sdk.ts`.
import { writeSync } from "node:fs";
import { contract, join, rpc, type StandardSchema } from "@fairlead/sdk";

const Anything: StandardSchema<unknown> = {
  "~standard": { version: 1, vendor: "bench", validate: (value) => ({ value }) },
};
const ECHO = contract("bench-echo", "1.0.0", { echo: rpc({ in: Anything, out: Anything }) });

const agent = await join();
await agent.client(ECHO).echo({ text: "hello" });
writeSync(1, `${performance.now() - performance.nodeTiming.bootstrapComplete}\n`);
