// SPDX-License-Identifier: Apache-2.0
// What agents may do with each other, between who keeps it and the fabric that asks.
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { CallRights } from "@fairlead/fabric/hub.ts";
import { openRights, type RightsOptions } from "#control/rights/open-rights.ts";
import type { RightsDesk, RightsJudge } from "#control/rights/rights-desk.ts";
import { openRightsCompiler } from "#rights/open-compiler.ts";

/** Opens the rights of this node. Before any agent joins, so that nothing passes unasked. */
export function startRights(
  hands: Omit<RightsOptions, "openCompiler">,
): Promise<RightsDesk & RightsJudge> {
  return openRights({ ...hands, openCompiler: openRightsCompiler });
}

/** What the fabric asks before it passes a call on. */
export function askRights(judge: RightsJudge): CallRights {
  return {
    governs: (scope) => judge.governs(scope),
    check(scope, caller, target, method) {
      const verdict = judge.judge({ scope, caller, action: "call", target, method });
      if (verdict === undefined) return;
      const { outcome, because, policies } = verdict;
      throw new FabricError("permission_denied", `${caller} may not call ${target}: ${because}`, {
        reason: outcome === "ask" ? "ask" : "rights",
        facts: { policies: policies.join(", ") || "none permits it" },
      });
    },
  };
}
