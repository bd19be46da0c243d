// SPDX-License-Identifier: Apache-2.0
// How many decisions about the rights of agents one core makes: with the cache, as the node makes them, and without.
import type { RightsContext } from "@fairlead/protocol/rights.ts";
import { createRightsHistory } from "#rights/history.ts";
import { openRightsCompiler } from "#rights/open-compiler.ts";
import type { Ask } from "#rights/rights.ts";
import type { Bench } from "./bench.ts";

const ROUNDS = Number(process.env["FAIRLEAD_BENCH_ROUNDS"] ?? 7);
const CACHED = 200_000;
const ANEW = 5_000;
const AGENTS = 50;

function makePolicies(count: number): string {
  const own = Array.from(
    { length: count - 2 },
    (_, i) =>
      `permit(principal == Agent::"shop/a${i % AGENTS}", action == Action::"call", resource == Service::"shop/a${(i * 7 + 1) % AGENTS}");`,
  );
  return [
    ...own,
    `forbid(principal, action, resource) when { context.timesUsual >= 10 && context.perMinute > 6000000 };`,
    `@outcome("ask") forbid(principal, action, resource) when { context.method like "refund*" };`,
  ].join("\n");
}

const asks: readonly Ask[] = Array.from({ length: AGENTS * 4 }, (_, i) => ({
  scope: "shop",
  caller: `a${i % AGENTS}`,
  action: "call",
  target: `a${(i * 7 + 1) % AGENTS}`,
  method: `method${i % 4}`,
}));

export const authz: Bench = {
  name: "authz",
  about: "decisions about the rights of agents a second on one core, with 3 and 202 policies",
  async run({ say, sample }) {
    const compiler = await openRightsCompiler();
    for (const count of [3, 202]) {
      using rights = compiler.compile(compiler.read("bench", makePolicies(count)));
      const history = createRightsHistory(0);
      const contexts: RightsContext[] = asks.map((ask) => history.count(ask, 0));
      const measure = (times: number, decide: (index: number) => void): number => {
        const beganMs = performance.now();
        for (let i = 0; i < times; i++) decide(i % asks.length);
        return (times / (performance.now() - beganMs)) * 1_000;
      };
      const at = (index: number): readonly [Ask, RightsContext] => {
        const [ask, context] = [asks[index], contexts[index]];
        if (ask === undefined || context === undefined) throw new RangeError(`${index}`);
        return [ask, context];
      };
      for (let round = -1; round < ROUNDS; round++) {
        const values = {
          // What the node does for each call: count it, see how the moment looks, decide.
          [`decisions_per_s_${count}`]: measure(CACHED, (i) => {
            const [ask] = at(i);
            rights.decide(ask, history.count(ask, round * 60_000), false);
          }),
          [`uncached_per_s_${count}`]: measure(
            ANEW,
            (i) => void rights.decideAnew(...at(i), false),
          ),
        };
        for (const [metric, value] of Object.entries(values)) {
          say(`${metric}: ${Math.round(value)}${round < 0 ? ", warming up" : ""}`);
          if (round >= 0) sample({ metric, unit: "1/s", subject: "fairlead", value });
        }
      }
    }
  },
};
