// SPDX-License-Identifier: Apache-2.0
// What nodes said last of a scope while they have no way to say it: that it is not said then does not tell that it has ended.
import type { Clock } from "#base/clock.ts";
import type { FleetScope } from "#brain/fleet/picture.ts";
import type { FleetBoard } from "./fleet-board.ts";
import type { PictureReader } from "./read-picture.ts";

/**
 * How long what nodes said before the store lost it is shown of those that have not said it again, and what those said that do not reach
 * the store now: since somebody looked last.
 */
const RECALL_MS = 15_000;

export interface RecallParts {
  readonly board: Pick<FleetBoard, "identity" | "hasReports">;
  readonly pictures: Pick<PictureReader, "scope" | "nodes">;
  readonly clock: Clock;
}

/** A scope as it is known, and with it what was seen at an earlier look of nodes that cannot say it now. Undefined for none. */
export type ScopeRecall = (name: string) => FleetScope | undefined;

/** Makes the recall of one node; each look at a scope is what the next ones remember. */
export function createScopeRecall({ board, pictures, clock }: RecallParts): ScopeRecall {
  const looks = new Map<
    string,
    { readonly scope: FleetScope; readonly identity: string | undefined; readonly atMs: number }
  >();

  /** Of those nodes, the ones that do not reach the store and are not gone. */
  function listUnheard(ids: readonly string[]): readonly string[] {
    const nodes = pictures.nodes();
    return ids.filter((id) => {
      const node = nodes.get(id);
      return node !== undefined && node.offer === undefined && node.standing !== "gone";
    });
  }

  return (name) => {
    const known = pictures.scope(name);
    const last = looks.get(name);
    const nowMs = clock.monotonicMs();
    const before = last !== undefined && nowMs - last.atMs < RECALL_MS ? last.scope : undefined;
    // A store that has lost everything lost what all of them said, and perhaps that the scope is wanted.
    const isLost =
      known === undefined ? last?.identity !== board.identity : known.lostMs !== undefined;
    const scope = known ?? (isLost ? before : undefined);
    if (scope === undefined) {
      looks.delete(name);
      return undefined;
    }
    if (isLost && before !== undefined) return withSaid(scope, before, (ids) => ids);
    if (!board.hasReports) return scope;
    const seen = before === undefined ? scope : withSaid(scope, before, listUnheard);
    looks.set(name, { scope: seen, identity: board.identity, atMs: nowMs });
    return seen;
  };
}

/** A scope with what nodes said before that say nothing now: those that `choose` picks of them, as they cannot. */
function withSaid(
  scope: FleetScope,
  before: FleetScope,
  choose: (ids: readonly string[]) => readonly string[],
): FleetScope {
  const silent = [...before.reports.keys()].filter((id) => !scope.reports.has(id));
  if (silent.length === 0) return scope;
  const kept = new Set(choose(silent));
  const said = [...before.reports].filter(([id]) => kept.has(id));
  return kept.size === 0 ? scope : { ...scope, reports: new Map([...scope.reports, ...said]) };
}
