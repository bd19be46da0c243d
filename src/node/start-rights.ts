// SPDX-License-Identifier: Apache-2.0
// What agents may do with each other, between who keeps it and the fabric that asks.
import type { AgentAsk, AgentRights } from "@fairlead/fabric/agent-rights.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { RightsVerdict } from "@fairlead/protocol/rights.ts";
import { openRights, type RightsOptions } from "#control/rights/open-rights.ts";
import type { RightsDesk, RightsJudge, RightsLoop } from "#control/rights/rights-desk.ts";
import { openRightsCompiler } from "#rights/open-compiler.ts";

/** Opens the rights of this node. Before any agent joins, so that nothing passes unasked. */
export function startRights(
  hands: Omit<RightsOptions, "openCompiler">,
): Promise<RightsDesk & RightsJudge & RightsLoop> {
  return openRights({ ...hands, openCompiler: openRightsCompiler });
}

/** A verdict as the agent is told it. */
function refuse({ caller, action, target }: AgentAsk, verdict: RightsVerdict): FabricError {
  const { outcome, because, policies } = verdict;
  return new FabricError("permission_denied", `${caller} may not ${action} ${target}: ${because}`, {
    reason: outcome === "ask" ? "ask" : "rights",
    facts: { policies: policies.join(", ") || "none permits it" },
  });
}

function createUnknown(): FabricError {
  return new FabricError("unavailable", "the rights of the fleet are not known yet", {
    reason: "rights-unknown",
  });
}

/** What the fabric asks before it passes a call or a message on. */
export function askRights(judge: RightsJudge): AgentRights {
  return {
    governs: (scope) => judge.governs(scope),
    check(ask) {
      if (!judge.isKnown) throw createUnknown();
      const verdict = judge.judge(ask);
      if (verdict !== undefined) throw refuse(ask, verdict);
    },
    recheck(ask) {
      const verdict = judge.look(ask);
      return verdict === undefined ? undefined : refuse(ask, verdict);
    },
    forbids: (ask) => (judge.look(ask)?.policies.length ?? 0) > 0,
  };
}
