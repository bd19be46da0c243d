// SPDX-License-Identifier: Apache-2.0
// What a change of a topology would do, as a plan of one step or of none.
import type { TopologyDeclaration } from "@fairlead/protocol/topology.ts";
import { canonicalJson, hashValue } from "#base/canonical-json.ts";
import type { PlannedAction } from "#model/action.ts";
import type { Plan } from "#model/decision.ts";
import type { Rewiring } from "#topology/rewire.ts";
import type { Wired } from "./kept-topologies.ts";

/** Of which scope a plan is, what it starts from, and the act that it is about. */
export interface PlannedTopology {
  readonly id: string;
  readonly scope: string;
  readonly madeAtMs: number;
  /** How the scope is wired now; undefined without a topology. */
  readonly before: Wired | undefined;
  readonly action: PlannedAction;
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

function makePlan(
  { id, scope, madeAtMs, before, action }: PlannedTopology,
  wanted: TopologyDeclaration | undefined,
  because: string | undefined,
  unchanged: number,
): Plan {
  const { act, object, title } = action;
  return {
    id,
    scope,
    basis: hashValue({ wanted: wanted ?? null, before: before?.graph ?? null }),
    intentHash: hashValue(wanted ?? null),
    madeAtMs,
    steps: because === undefined ? [] : [{ act, object, title, because }],
    unchanged,
    warnings: [],
  };
}

/** What declaring changes: nothing when it is declared already and everybody is linked so. */
export function planDeclaration(
  planned: PlannedTopology,
  declaration: TopologyDeclaration,
  { added, removed, joined, left, graph }: Rewiring,
): Plan {
  const { before } = planned;
  const isSame =
    before !== undefined && canonicalJson(before.declaration) === canonicalJson(declaration);
  const changes = added.length + removed.length + joined.length + left.length;
  const links = `${count(added.length, "link")} added, ${count(removed.length, "link")} removed`;
  const because = isSame && changes === 0 ? undefined : links;
  return makePlan(planned, declaration, because, graph.links.length - added.length);
}

/** What removing changes. */
export function planRemoval(planned: PlannedTopology): Plan {
  const links = planned.before?.graph.links.length ?? 0;
  return makePlan(planned, undefined, `${count(links, "link")} no longer bind anybody`, 0);
}
