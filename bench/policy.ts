// SPDX-License-Identifier: Apache-2.0
// What policies cost: to compile, in each packet, and until a change is in force on every host.
import type { Bench, BenchTools } from "./bench.ts";
import { measureChange } from "./policy-change.ts";
import { measureCompiling } from "./policy-compile.ts";
import { measureTraffic } from "./policy-traffic.ts";

const PARTS: Readonly<Record<string, (tools: BenchTools) => void | Promise<void>>> = {
  compile: measureCompiling,
  traffic: measureTraffic,
  change: measureChange,
};

/** `npm run bench -- policy`; FAIRLEAD_BENCH_PARTS=compile,change chooses. */
export const policy: Bench = {
  name: "policy",
  about:
    "1,000 policies × 1,000 instances compiled; TCP through 10 to 10,000 rules, against iptables; a change on three hosts",
  async run(tools) {
    const chosen = process.env["FAIRLEAD_BENCH_PARTS"]?.split(",") ?? Object.keys(PARTS);
    for (const name of chosen) {
      const measure = PARTS[name];
      if (measure === undefined)
        throw new Error(`${name} is none of ${Object.keys(PARTS).join(", ")}`);
      await measure(tools);
    }
  },
};
