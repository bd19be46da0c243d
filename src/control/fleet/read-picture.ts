// SPDX-License-Identifier: Apache-2.0
// The fleet as pure rooms look at it: what stands in its store, and who of its nodes lives.
import {
  Ailment,
  Assignment,
  FleetIntent,
  Offer,
  ScopeReport,
  Turns,
} from "@fairlead/protocol/assignment.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { Clock } from "#base/clock.ts";
import type { FleetNode, FleetPicture, FleetScope } from "#brain/fleet/picture.ts";
import { parseOnce, readWhole } from "#control/parse-once.ts";
import type { Roll } from "#control/roll.ts";
import type { Entry } from "#store/store.ts";
import { createBoardIndex, splitAtSlash } from "./board-index.ts";
import { touches, type FleetBoard } from "./fleet-board.ts";
import { LEFT_MS } from "./left-for.ts";

/** So long a node that has just started takes nobody for gone whom it has never heard. */
const FRESH_MS = 30_000;
const OFFERS: ReadonlySet<string> = new Set(["offers"]);

/** Reads pictures; what did not change is parsed once. */
export interface PictureReader {
  /** `nodes`: as they were just read. */
  read(nodes?: ReadonlyMap<string, FleetNode>): FleetPicture;
  nodes(): ReadonlyMap<string, FleetNode>;
  scope(name: string): FleetScope | undefined;
  /** Why the engine of a node does not answer, by what it says; undefined while it does. */
  ailment(node: string): string | undefined;
  /** Whether something is wanted of that scope which this version cannot read, as a newer one wrote it. */
  isUnread(scope: string): boolean;
  /** Names of the scopes that the fleet wants, or of which it has not got rid yet. */
  names(): readonly string[];
}

export interface PictureParts {
  readonly board: FleetBoard;
  readonly roll: Pick<Roll, "list">;
  readonly clock: Clock;
}

/** Makes the reader over a board and a roll. */
export function createPictureReader({ board, roll, clock }: PictureParts): PictureReader {
  const startedAtMs = clock.monotonicMs();
  const upSinceMs = new Map<string, number>();
  const awaySinceMs = new Map<string, number>();
  const ailingSinceMs = new Map<string, number>();
  const restoredMs = new WeakMap<Entry, number>();
  const turnsSinceMs = new WeakMap<Entry, number>();
  let identity = board.identity;
  let lostAtMs: number | undefined;

  function judge({ state, silentMs }: NodeView): FleetNode["standing"] {
    if (state === "alive") return "up";
    // Who was not asked yet is no suspect: nobody has been silent.
    if (state === "suspect") return silentMs === undefined ? "away" : "suspect";
    if (state === "left") return (silentMs ?? LEFT_MS) < LEFT_MS ? "away" : "gone";
    const fresh = clock.monotonicMs() - startedAtMs < FRESH_MS;
    return silentMs === undefined && fresh ? "away" : "gone";
  }

  // What came and went while the store was away was not seen: then it is counted anew.
  board.onChange((keys) => {
    if (board.problem !== undefined) awaySinceMs.clear();
    else if (touches(keys, OFFERS))
      for (const id of board.list("offers").keys()) awaySinceMs.delete(id);
  });

  /** Counted from when this node first saw it, so never too long. */
  function countAway(id: string, isHere: boolean): number {
    const nowMs = clock.monotonicMs();
    if (isHere || board.problem !== undefined) awaySinceMs.delete(id);
    else if (!awaySinceMs.has(id)) awaySinceMs.set(id, nowMs);
    return nowMs - (awaySinceMs.get(id) ?? nowMs);
  }

  const readAilment = (id: string): string | undefined =>
    parseOnce(Ailment, board.list("ailing").get(id)?.value)?.reason;

  /** One that has just begun is a millisecond old. */
  function countAiling(id: string): number {
    const nowMs = clock.monotonicMs();
    if (readAilment(id) === undefined || board.problem !== undefined) ailingSinceMs.delete(id);
    else if (!ailingSinceMs.has(id)) ailingSinceMs.set(id, nowMs - 1);
    return nowMs - (ailingSinceMs.get(id) ?? nowMs);
  }

  function countUp(id: string, isUp: boolean): number {
    const nowMs = clock.monotonicMs();
    if (!isUp) upSinceMs.delete(id);
    else if (!upSinceMs.has(id)) upSinceMs.set(id, nowMs);
    return nowMs - (upSinceMs.get(id) ?? nowMs);
  }

  // A store that has lost everything gets another identity.
  board.onChange(() => {
    if (board.identity === undefined || board.identity === identity) return;
    if (identity !== undefined) lostAtMs = clock.monotonicMs();
    identity = board.identity;
  });

  /** Counted from when this node first saw it, so never too long. */
  function countLost(intent: Entry, wanted: FleetIntent): number | undefined {
    const nowMs = clock.monotonicMs();
    if (wanted.restored !== true) return lostAtMs === undefined ? undefined : nowMs - lostAtMs;
    const sinceMs = restoredMs.get(intent) ?? nowMs;
    restoredMs.set(intent, sinceMs);
    return nowMs - sinceMs;
  }

  function nodes(): ReadonlyMap<string, FleetNode> {
    const found = new Map<string, FleetNode>();
    const offers = board.list("offers");
    for (const view of roll.list()) {
      const { id, name, schedulable, draining } = view;
      const offer = parseOnce(Offer, offers.get(id)?.value);
      const awayMs = countAway(id, offer !== undefined);
      const standing = judge(view);
      const upMs = countUp(id, standing === "up" && offer !== undefined);
      const ailingMs = countAiling(id);
      found.set(id, { id, name, schedulable, draining, standing, upMs, awayMs, ailingMs, offer });
    }
    return found;
  }

  const reports = createBoardIndex({
    board,
    room: "reports",
    placeOf(rest) {
      const [node, scope] = splitAtSlash(rest);
      return [scope, node];
    },
    read: (entry) => parseOnce(ScopeReport, entry.value),
  });
  const turns = createBoardIndex({
    board,
    room: "turns",
    placeOf: splitAtSlash,
    read(entry) {
      const value = parseOnce(Turns, entry.value);
      if (value === undefined) return undefined;
      const sinceMs = turnsSinceMs.get(entry) ?? clock.monotonicMs();
      turnsSinceMs.set(entry, sinceMs);
      return { value, sinceMs };
    },
  });

  function readScope(name: string): FleetScope | undefined {
    const entry = board.get(`intent/${name}`);
    const wanted = parseOnce(FleetIntent, entry?.value, readWhole);
    if (entry === undefined || wanted === undefined) return undefined;
    const placed = board.get(`assignments/${name}`);
    const assignment = parseOnce(Assignment, placed?.value);
    return {
      wanted,
      generation: entry.revision,
      lostMs: assignment === undefined ? countLost(entry, wanted) : undefined,
      assignment,
      assignedAt: placed?.revision ?? 0,
      reports: reports.of(name),
      turns: readTurns(name),
    };
  }

  /** How long they stand is counted from when this node first saw them, so never too long. */
  function readTurns(scope: string): NonNullable<FleetScope["turns"]> {
    const nowMs = clock.monotonicMs();
    return new Map(
      [...turns.of(scope)].map(([service, { value, sinceMs }]) => [
        service,
        { value, ageMs: nowMs - sinceMs },
      ]),
    );
  }

  const names = (): readonly string[] => [...board.list("intent").keys()].sort();

  return {
    nodes,
    ailment: readAilment,
    names,
    scope: readScope,
    isUnread: (scope) => {
      const entry = board.get(`intent/${scope}`);
      return entry !== undefined && parseOnce(FleetIntent, entry.value, readWhole) === undefined;
    },
    read(known = nodes()) {
      const scopes = names().flatMap((name) => {
        const scope = readScope(name);
        return scope === undefined ? [] : [[name, scope] as const];
      });
      return { nodes: known, scopes: new Map(scopes) };
    },
  };
}
