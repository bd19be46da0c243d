// SPDX-License-Identifier: Apache-2.0
import type { Topologies } from "#control/topologies.ts";
import { FairleadError, baseErrors } from "#base/errors.ts";

/** No scope has a topology, and none can be declared. */
export function createFakeTopologies(): Topologies {
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
    declare: refuse,
    remove: refuse,
  };
}
