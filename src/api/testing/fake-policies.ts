// SPDX-License-Identifier: Apache-2.0
import type { Policies } from "#control/policies/policies.ts";

/** No policies at all. What is asked for is told to `note`. */
export function createFakePolicies(
  note: (name: string, ...args: readonly unknown[]) => void,
): Policies {
  return {
    list: () => [],
    problem: undefined,
    async apply(request, by) {
      note("applyPolicies", request, by);
      return [];
    },
    async remove(scope, name, by) {
      note("removePolicy", scope, name, by);
    },
    effect: async () => ({ judged: 0, same: 0, effects: [] }),
    flows: {
      list: async () => [],
      async *follow() {},
      lost: 0,
    },
    async can({ protocol }) {
      const proof = { verdict: "unknown", detail: "" } as const;
      const end = { scope: "", service: "", instances: 0 };
      const proofs = { declared: proof, installed: proof, probed: proof };
      return { from: end, to: end, protocol, answer: "unknown", ...proofs };
    },
  };
}
