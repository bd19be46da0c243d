// SPDX-License-Identifier: Apache-2.0
import type { RightsVerdict } from "@fairlead/protocol/rights.ts";
import type { RightsDesk } from "#control/rights/rights-desk.ts";

const CONTEXT = {
  method: "",
  subject: "",
  perMinute: 1,
  usualPerMinute: 0,
  timesUsual: 1,
  newPeer: true,
  watchedMinutes: 0,
  hourUtc: 12,
  weekdayUtc: 1,
};
const VERDICT: RightsVerdict = {
  outcome: "allow",
  identity: "shop/web",
  policies: [],
  context: CONTEXT,
  because: "the scope has no rights",
};

/** Rights that permit everything. What is asked for is told to `note`. The policy that permits a test has its caller's name. */
export function createFakeRights(
  note: (name: string, ...args: readonly unknown[]) => void,
): RightsDesk {
  return {
    problem: undefined,
    list: () => [],
    async apply(request, by) {
      note("applyRights", request, by);
      return { ...request, policies: [] };
    },
    async remove(scope, name, by) {
      note("removeRights", scope, name, by);
    },
    test: ({ caller }) => ({ ...VERDICT, policies: [caller], because: `${caller} permits it` }),
    async grant(grant, by) {
      note("grantRights", grant, by);
      return VERDICT;
    },
  };
}
