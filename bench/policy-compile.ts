// SPDX-License-Identifier: Apache-2.0
// 1,000 policies over 1,000 instances to tables, and again after one instance has another label, or one policy is another.
import { createPolicyCompiler } from "#policy/compile-policies.ts";
import type { PolicyWorld } from "#policy/world.ts";
import type { BenchTools } from "./bench.ts";
import { makeInstance, makePolicies, makeWorld } from "./policy-worlds.ts";

const INSTANCES = 1_000;
const POLICIES = 1_000;
const SCOPES = 10;
/** How many of them a host of the fleet has. */
const HERE = 50;
const ROUNDS = Number(process.env["FAIRLEAD_BENCH_ROUNDS"] ?? 10);
const CHANGES = 20;

function measure(task: () => unknown): number {
  const began = performance.now();
  task();
  return performance.now() - began;
}

/** The same world with another role for one instance. */
function relabel(world: PolicyWorld, index: number, role: number): PolicyWorld {
  return { ...world, instances: world.instances.with(index, makeInstance(index, role)) };
}

/** For all instances, and for those of one host alone. */
export function measureCompiling({ say, sample }: BenchTools): void {
  const policies = makePolicies(POLICIES, SCOPES);
  /** The same for other services. */
  const others = makePolicies(POLICIES + SCOPES, SCOPES).slice(SCOPES);
  const note = (metric: string, value: number): void =>
    sample({ metric, unit: "ms", subject: "fairlead", value });
  for (let round = 0; round < ROUNDS; round++) {
    say(`compiling, round ${round + 1} of ${ROUNDS}`);
    for (const [name, here] of [
      ["all", INSTANCES],
      ["50_here", HERE],
    ] as const) {
      const compiler = createPolicyCompiler();
      let [world, wanted] = [makeWorld(INSTANCES), policies];
      const only = new Set(world.instances.slice(0, here).map(({ id }) => id));
      const compile = (): unknown => compiler.compile(wanted, world, { only });
      note(`compile_ms_${name}`, measure(compile));
      for (let change = 0; change < CHANGES; change++) {
        const index = (change * 37) % INSTANCES;
        world = relabel(world, index, (index + 1 + round) % SCOPES);
        note(`label_ms_${name}`, measure(compile));
        const other = others[index];
        if (other !== undefined) wanted = wanted.with(index, other);
        note(`policy_ms_${name}`, measure(compile));
      }
    }
  }
}
