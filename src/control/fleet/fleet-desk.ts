// SPDX-License-Identifier: Apache-2.0
// What operations ask of a fleet: how a scope stands on all of it, what asking for something would do, and to ask for it.
import type { FleetIntent, ScopeReport } from "@fairlead/protocol/assignment.ts";
import type { PlannedStep } from "@fairlead/protocol/decision.ts";
import type { ScopeView } from "@fairlead/protocol/views.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { assignScopes } from "#brain/fleet/assign-scopes.ts";
import { countElsewhere, mergeViews } from "#brain/fleet/merge-views.ts";
import { narrowIntent } from "#brain/fleet/narrow-intent.ts";
import type { FleetScope } from "#brain/fleet/picture.ts";
import { planElsewhere } from "#brain/fleet/plan-elsewhere.ts";
import { nameInstance } from "#brain/naming.ts";
import type { ElsewhereBook, ReconcileInput } from "#brain/pass.ts";
import { controlErrors } from "#control/errors.ts";
import type { Roll } from "#control/roll.ts";
import type { Intent } from "#model/intent.ts";
import type { FleetBoard } from "./fleet-board.ts";
import type { PictureReader } from "./read-picture.ts";
import { createScopeRecall } from "./recall-scopes.ts";

/** How long a store is waited for that a node has not reached since it started. */
const PATIENCE_MS = 3_000;
const LOOK_MS = 20;
/** So long after its start a node waits so. */
const FRESH_MS = 10_000;

/** What asking for an intent would do. */
export interface Rehearsal {
  /** What this node would have of it; undefined for nothing. */
  readonly here: Intent | undefined;
  /** What other nodes would do. */
  readonly elsewhere: readonly PlannedStep[];
  /** What would find no node. */
  readonly warnings: readonly string[];
}

/** A volume of Fairlead's on a node of the fleet. */
export interface FleetVolume {
  /** Id and name of the node. */
  readonly node: string;
  readonly nodeName: string;
  readonly volume: string;
}

export interface FleetDesk {
  /** Id of this node. */
  readonly self: string;
  /** Why what is known of other nodes may be old; undefined while the fleet's store answers. */
  readonly problem: string | undefined;
  /** Names of the scopes of the fleet. */
  names(): readonly string[];
  /** What the fleet wants of a scope; undefined for one that it does not have. */
  wanted(scope: string): FleetIntent | undefined;
  /** How a scope stands on all nodes, `local` being how it does on this one; undefined for a scope that is no fleet's. */
  view(scope: string, local: ScopeView | undefined): ScopeView | undefined;
  /** What other nodes have of it; undefined while that is not known. */
  elsewhere(scope: string): ReconcileInput["elsewhere"];
  /** Whose turn it is on this node to change, by service. Nobody's, of a scope that is not known. */
  turns(scope: string): NonNullable<ReconcileInput["turns"]>;
  /** Whether it is known how scopes stand on other nodes. */
  readonly isWhole: boolean;
  /** Whether a scope stands on other nodes too as far as is known, and how it does there is not: `view` would show a part of it. */
  mayBePart(scope: string): boolean;
  /** Has that known, until disposed of. */
  hold(): Disposable;
  /** Resolves once it is known, or does not come to be soon. */
  whole(): Promise<void>;
  /** Likewise while the store answers; waits a little for one that was never asked. Throws FL0714 `fleet-store-away`. */
  settle(): Promise<void>;
  /** Names of the instances that a scope has on any node by what is assigned, as containers and as `web-1`. */
  listNames(scope: string): readonly string[];
  rehearse(wanted: FleetIntent): Rehearsal;
  /** Volumes that nodes have of a scope, this one too. */
  volumesOf(scope: string): readonly FleetVolume[];
  /** Names of the nodes that are not there now. */
  away(): readonly string[];
  /** Names of the scopes of which something is wanted that this version cannot read. */
  unread(): readonly string[];
  /** Writes what is wanted; the leader places it. Throws FL0714 `fleet-store-away`. */
  ask(wanted: FleetIntent): Promise<void>;
}

export interface DeskParts {
  readonly self: string;
  readonly board: FleetBoard;
  readonly roll: Pick<Roll, "problem">;
  readonly pictures: PictureReader;
  readonly clock: Clock;
}

/** Makes the desk of one node. */
export function createFleetDesk({ self, board, roll, pictures, clock }: DeskParts): FleetDesk {
  const startedAtMs = clock.monotonicMs();
  const recall = createScopeRecall({ board, pictures, clock });
  let hasRoll = false;

  async function settle(): Promise<void> {
    const untilMs = clock.monotonicMs() + PATIENCE_MS;
    while (board.identity === undefined && clock.monotonicMs() < untilMs)
      await clock.sleep(LOOK_MS);
    if (board.problem !== undefined)
      throw new FairleadError(
        controlErrors["fleet-store-away"],
        `the fleet's store: ${board.problem}`,
      );
    await whole();
  }

  async function whole(): Promise<void> {
    using hold = board.holdReports();
    if (isWhole()) return;
    const untilMs = clock.monotonicMs() + PATIENCE_MS;
    // A store that this node has not reached since it started may answer soon: it may be the node that is late.
    while (!isBegun() && clock.monotonicMs() < Math.min(untilMs, startedAtMs + FRESH_MS))
      await clock.sleep(LOOK_MS);
    const restMs = untilMs - clock.monotonicMs();
    if (restMs <= 0) return;
    const enough = new AbortController();
    const late = clock.sleep(restMs, enough.signal).catch(() => undefined);
    await Promise.race([hold.ready, late]);
    enough.abort();
  }

  /** Whether the store and the roll were read since this node started. */
  function isBegun(): boolean {
    hasRoll ||= roll.problem === undefined || pictures.nodes().size > 1;
    return hasRoll && board.identity !== undefined;
  }

  const isWhole = (): boolean => board.hasReports && isBegun();

  /** What other nodes have matters to whoever waits for them, and to nobody else. */
  function holdWhenAsked(book: ElsewhereBook): ElsewhereBook {
    return {
      get(service) {
        board.holdReports()[Symbol.dispose]();
        return book.get(service);
      },
    };
  }

  function listNames(scope: string): readonly string[] {
    const known = pictures.scope(scope);
    return (known?.wanted.intent.services ?? []).flatMap((service) =>
      (known?.assignment?.services[service.name] ?? []).flatMap(({ slot }) => [
        nameInstance(scope, service, slot),
        `${service.name}-${slot}`,
      ]),
    );
  }

  function withLocal(scope: FleetScope, local: ScopeView | undefined): FleetScope {
    const own = scope.reports.get(self);
    const generation = own?.generation ?? 0;
    const report: ScopeReport = local === undefined ? { generation } : { generation, view: local };
    return { ...scope, reports: new Map([...scope.reports, [self, report]]) };
  }

  const counts = new WeakMap<
    FleetScope["reports"],
    { readonly of: FleetScope["assignment"]; readonly counted: ElsewhereBook }
  >();

  /** Each pass asks, and most of them between two changes of the scope. */
  function count(known: FleetScope): ElsewhereBook {
    const { reports, assignment } = known;
    const before = counts.get(reports);
    if (before?.of === assignment && before !== undefined) return before.counted;
    const counted = holdWhenAsked(countElsewhere(known, self));
    counts.set(reports, { of: assignment, counted });
    return counted;
  }

  return {
    self,
    get problem() {
      return board.problem;
    },
    get isWhole() {
      return isWhole();
    },
    mayBePart: (scope) => !isWhole() && (!isBegun() || pictures.scope(scope) !== undefined),
    hold: () => board.holdReports(),
    whole,
    settle,
    listNames,
    names: () => pictures.names(),
    wanted: (scope) => pictures.scope(scope)?.wanted,
    view(scope, local) {
      const known = recall(scope);
      if (known === undefined) return undefined;
      const isPlain = local?.mode === "observe" && known.assignment === undefined;
      return mergeViews(isPlain ? known : withLocal(known, local), pictures.nodes());
    },
    elsewhere(scope) {
      if (board.problem !== undefined) return undefined;
      const known = pictures.scope(scope);
      return known === undefined ? undefined : count(known);
    },
    turns(scope) {
      const known = pictures.scope(scope);
      return new Map(
        [...(known?.turns ?? [])].map(([service, { value }]) => [
          service,
          {
            slots: new Map(
              value.turns.flatMap(({ slot, node, run }) => (node === self ? [[slot, run]] : [])),
            ),
            failed: value.generation === known?.generation ? value.failed : undefined,
          },
        ]),
      );
    },
    rehearse(wanted) {
      const { scope } = wanted.intent;
      const picture = pictures.read();
      const before = picture.scopes.get(scope);
      const next: FleetScope = {
        generation: 0,
        lostMs: undefined,
        assignment: undefined,
        assignedAt: 0,
        reports: new Map(),
        ...before,
        wanted,
      };
      const scopes = new Map([...picture.scopes, [scope, next]]);
      const change = assignScopes({ ...picture, scopes }).find((one) => one.scope === scope);
      const draft = change?.draft ??
        next.assignment ?? { generation: 0, services: {}, missing: [] };
      return {
        here: narrowIntent(wanted.intent, draft, self),
        elsewhere: planElsewhere({ before, next, draft, self, nodes: picture.nodes }),
        warnings: draft.missing.map(({ service, why }) => `${service}: ${why}`),
      };
    },
    volumesOf: (scope) =>
      [...pictures.nodes().values()].flatMap(({ id, name, offer }) =>
        (offer?.volumes[scope] ?? []).map((volume) => ({ node: id, nodeName: name, volume })),
      ),
    away: () =>
      [...pictures.nodes().values()].flatMap(({ name, standing }) =>
        standing === "up" ? [] : [name],
      ),
    unread: () => pictures.names().filter((name) => pictures.isUnread(name)),
    async ask(wanted) {
      await settle();
      const key = `intent/${wanted.intent.scope}`;
      await board.write([{ kind: "put", key, value: wanted }]);
    },
  };
}
