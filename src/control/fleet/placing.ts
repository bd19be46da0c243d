// SPDX-License-Identifier: Apache-2.0
// The loop of the leader: looks at the fleet, lets brain say where everything stands, writes that. Who does not lead
// writes nothing.
import type { OwedRemoval } from "@fairlead/protocol/assignment.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import {
  askPlacement,
  assignScopes,
  type Draft,
  type Reassignment,
} from "#brain/fleet/assign-scopes.ts";
import { describeMoves } from "#brain/fleet/describe-moves.ts";
import { giveTurns, isTurnDue, type TurnsChange } from "#brain/fleet/give-turns.ts";
import { isRestoring, type FleetPicture, type FleetScope } from "#brain/fleet/picture.ts";
import { rebalance, STEADY_MS } from "#brain/fleet/rebalance.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import { createDoorbell } from "#control/doorbell.ts";
import type { Roll } from "#control/roll.ts";
import type { Decision } from "#model/decision.ts";
import type { StoreOperation } from "#store/store.ts";
import { touches, type FleetBoard } from "./fleet-board.ts";
import type { RoomHold } from "./held-room.ts";
import type { Leadership } from "./leadership.ts";
import type { PictureReader } from "./read-picture.ts";

/** Between two looks at the whole fleet. The more is placed the longer a look takes: about half of the time it rests. */
const PAUSE_MS = 20;
const PAUSE_PER_INSTANCE_MS = 0.01;
/** For so long it can still matter how long a node has been there or away. */
const AGE_MAX_MS = 60_000;

export interface PlacingOptions {
  readonly board: FleetBoard;
  readonly roll: Pick<Roll, "problem" | "onLook">;
  readonly pictures: PictureReader;
  readonly leadership: Leadership;
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Rooms of the fleet's store on which it depends where something stands. */
const ROOMS: ReadonlySet<string> = new Set([
  "identity",
  "leader",
  "intent",
  "assignments",
  "offers",
  "ailing",
  "reports",
  "turns",
]);

const TOLD = { outcome: "done", result: "each node was told" } as const;
const REFUSED = {
  outcome: "failed",
  result: "another node leads, or something else is wanted",
} as const;
const UNKNOWN = {
  outcome: "failed",
  result: "the fleet's store did not answer; whether it took it is seen when it does",
} as const;

/**
 * Nodes that a singleton leaves without their word for it: they must not have come back meanwhile. What one that has ended left in the
 * store is no word of one that is back.
 */
function listFenced(
  board: Pick<FleetBoard, "get">,
  { assignment, wanted, reports }: FleetScope,
  draft: Draft | undefined,
) {
  const hasWord = (id: string): boolean =>
    reports.has(id) && board.get(`offers/${id}`) !== undefined;
  const fenced = wanted.intent.services.flatMap(({ name, singleton }) => {
    if (singleton !== true || draft === undefined) return [];
    const now = new Map((draft.services[name] ?? []).map((one) => [one.slot, one]));
    return (assignment?.services[name] ?? []).flatMap(({ slot, from = [] }) =>
      from.filter((id) => now.get(slot)?.from?.includes(id) !== true && !hasWord(id)),
    );
  });
  return [...new Set(fenced)];
}

function countPause({ scopes }: FleetPicture): number {
  let instances = 0;
  for (const { wanted } of scopes.values())
    for (const { replicas } of wanted.intent.services) instances += replicas;
  return PAUSE_MS + instances * PAUSE_PER_INSTANCE_MS;
}

function countSeconds(ageMs: number): number {
  return Math.floor(Math.min(ageMs, AGE_MAX_MS) / 1_000);
}

/** What nodes that are away have to remove when they are back, though nothing says so any more then. */
function oweVolumes({ nodes }: FleetPicture, { wanted }: FleetScope): readonly StoreOperation[] {
  if (wanted.removal?.volumes !== true) return [];
  const away = [...nodes.values()].filter(({ standing }) => standing !== "up");
  return away.map(({ id }) => {
    const value: OwedRemoval = { volumes: true };
    return { kind: "put", key: `owed/${id}/${wanted.intent.scope}`, value };
  });
}

/** Makes the loop. */
export function createPlacing(options: PlacingOptions): {
  run(signal: AbortSignal): Promise<void>;
} {
  const { board, roll, pictures, leadership, decisions, clock, logger } = options;

  let stale = true;
  let seen = "";
  /** Held while it leads: who does not lead has no use for what all nodes report. */
  let hold: RoomHold | undefined;

  async function write(fence: number, picture: FleetPicture, change: Reassignment): Promise<void> {
    const { scope, draft } = change;
    const known = picture.scopes.get(scope);
    if (known === undefined) return;
    const intent = `intent/${scope}`;
    const unchanged = [
      { key: intent, revision: known.generation },
      ...listFenced(board, known, draft).map((id) => ({ key: `offers/${id}`, revision: 0 })),
    ];
    const key = `assignments/${scope}`;
    if (draft === undefined) {
      const both = [intent, key].map((one) => ({ kind: "delete" as const, key: one }));
      await leadership.write(fence, [...both, ...oweVolumes(picture, known)], unchanged);
      return;
    }
    const { actor, plan, reason } = known.wanted;
    const isAsked = known.assignment?.generation !== known.generation;
    const context = {
      scope,
      actor: isAsked ? actor : "automatic",
      ...(isAsked && plan !== undefined ? { plan } : {}),
      ...(isAsked && reason !== undefined ? { reason } : {}),
    };
    const moves = describeMoves(known, { ...change, draft }, picture.nodes, clock.nowMs());
    const begun = [];
    for (const move of moves) begun.push(await decisions.begin(move, context));
    const value = { ...draft, fence };
    let end: Pick<Decision, "outcome"> & { readonly result: string } = UNKNOWN;
    try {
      const done = await leadership.write(fence, [{ kind: "put", key, value }], unchanged);
      end = done ? TOLD : REFUSED;
    } finally {
      for (const decision of begun) await decisions.finish(decision, end);
    }
  }

  /** Under the same condition: who does not lead any more gives no turn. */
  async function writeTurns(
    fence: number,
    picture: FleetPicture,
    change: TurnsChange,
  ): Promise<void> {
    const { scope, service, turns } = change;
    const unchanged = [
      { key: `intent/${scope}`, revision: picture.scopes.get(scope)?.generation ?? 0 },
    ];
    const key = `turns/${scope}/${service}`;
    const operation: StoreOperation =
      turns === undefined ? { kind: "delete", key } : { kind: "put", key, value: turns };
    await leadership.write(fence, [operation], unchanged);
  }

  /** All that placing depends on and the board does not tell. */
  function sign(fence: number, nodes: FleetPicture["nodes"]): string {
    let signature = String(fence);
    for (const { id, standing, schedulable, draining, awayMs, ailingMs, upMs } of nodes.values()) {
      const [away, ailing] = [countSeconds(awayMs), countSeconds(ailingMs)];
      signature += `;${id},${standing},${schedulable},${draining},${away},${ailing},${upMs >= STEADY_MS}`;
    }
    return signature;
  }

  /** How long to rest after it, milliseconds; undefined when there was nothing to look at. */
  async function look(): Promise<number | undefined> {
    const { fence } = leadership;
    if (fence === undefined) {
      hold?.[Symbol.dispose]();
      hold = undefined;
      return undefined;
    }
    hold ??= board.holdReports();
    if (roll.problem !== undefined || !board.hasReports) return undefined;
    const nodes = pictures.nodes();
    const signature = sign(fence, nodes);
    if (!stale && signature === seen) return undefined;
    stale = false;
    seen = signature;
    const picture = pictures.read(nodes);
    const question = askPlacement(picture);
    const changes = assignScopes(picture, question);
    // What waits for the nodes to say again where it runs changes with time alone.
    if ([...picture.scopes.values()].some((scope) => isRestoring(picture, scope))) stale = true;
    for (const turn of giveTurns(picture)) await writeTurns(fence, picture, turn);
    if (isTurnDue(picture)) stale = true;
    for (const change of changes) await write(fence, picture, change);
    const spread = changes.length === 0 ? rebalance(picture, question) : undefined;
    if (spread !== undefined) await write(fence, picture, spread);
    return countPause(picture);
  }

  return {
    async run(signal) {
      const bell = createDoorbell(clock);
      board.onChange((keys) => {
        if (!touches(keys, ROOMS)) return;
        stale = true;
        bell.ring();
      });
      // Who lives changes without a word in the store.
      const leave = roll.onLook(() => {
        if (leadership.fence !== undefined) bell.ring();
      });
      while (!signal.aborted) {
        const pauseMs = await look().catch((thrown: unknown) => {
          stale = true;
          logger.warn("could not place what is wanted", {
            reason: FairleadError.from(thrown).message,
          });
          return PAUSE_MS;
        });
        if (pauseMs !== undefined) await clock.sleep(pauseMs, signal).catch(() => undefined);
        await bell.wait(Infinity, signal);
      }
      leave();
    },
  };
}
