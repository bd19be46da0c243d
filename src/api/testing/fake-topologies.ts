// SPDX-License-Identifier: Apache-2.0
import { FairleadError, baseErrors } from "#base/errors.ts";
import type { Topologies } from "#control/topologies.ts";
import { createPlan } from "./fake-data.ts";

/** No scope has a topology, and none can be declared, only planned. What is asked for is told to `note`. */
export function createFakeTopologies(
  note: (name: string, ...args: readonly unknown[]) => void,
): Topologies {
  const refuse = (): never => {
    throw new FairleadError(baseErrors["invalid-argument"], "there are no topologies here");
  };
  return {
    list: () => [],
    view: refuse,
    observe: (scope) => ({
      scope,
      sinceMs: 0,
      asOfMs: 0,
      links: [],
      agents: [],
      silent: [],
      omitted: 0,
    }),
    plan(scope, declaration) {
      note("planTopology", scope, declaration);
      return createPlan(scope, 0, "web");
    },
    async declare(scope, declaration, by) {
      note("declare", scope, declaration, by);
      return refuse();
    },
    async remove(scope, by) {
      note("remove", scope, by);
      return refuse();
    },
  };
}
