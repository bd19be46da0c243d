// SPDX-License-Identifier: Apache-2.0
// What a node says of itself in the fleet's store: what it has, and how its scopes stand. It hangs on the node's lease, so
// that nothing old is taken for true.
import type { Offer, ScopeReport } from "@fairlead/protocol/assignment.ts";
import type { NodeRecord } from "@fairlead/protocol/node.ts";
import type { ScopeView } from "@fairlead/protocol/views.ts";
import type { Clock } from "#base/clock.ts";
import type { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { listPlacedAt } from "#brain/fleet/narrow-intent.ts";
import { answerDoorbell, createDoorbell } from "#control/doorbell.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import type { ScopeLoop } from "#control/scope-loop.ts";
import { groupVolumes } from "#control/scope-volumes.ts";
import type { Supervisor } from "#control/supervisor.ts";
import type { StoreOperation } from "#store/store.ts";
import { touches, type FleetBoard } from "./fleet-board.ts";
import type { PictureReader } from "./read-picture.ts";

const INTERVAL_MS = 150;
/** Rooms of the fleet's store on which it depends what a node has to say. */
const ROOMS: ReadonlySet<string> = new Set(["intent", "assignments"]);
/** A store takes so many operations in one transaction. */
const OPERATIONS_MAX = 100;

export interface ReportingOptions {
  readonly self: Pick<NodeRecord, "id" | "cpuCount" | "memoryBytes" | "devices">;
  readonly board: FleetBoard;
  readonly pictures: Pick<PictureReader, "scope">;
  readonly facts: Pick<FactsBoard, "read" | "ready" | "problem" | "onChange">;
  readonly supervisor: Pick<Supervisor, "loops" | "loop">;
  /** How a scope stands on this node. */
  readonly view: (scope: string) => ScopeView | undefined;
  /** Revision of the assignment of a scope that this node has taken over. */
  readonly takenAt: (scope: string) => number | undefined;
  /** Called once this node is known to be there under a new lease. */
  readonly onPresent?: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Reporting {
  /** The lease under which it has said what it has; undefined before it did. */
  readonly lease: string | undefined;
  /** Says soon what has changed; of a scope, if one is named, that it stands otherwise. */
  wake(scope?: string): void;
  run(signal: AbortSignal): Promise<void>;
}

/** Whether an act on an instance may follow from what was wanted before. */
function isUnderWay({ looked, busy }: ScopeLoop): boolean {
  return !looked || [...busy].some((key) => /\/\d+$/.test(key));
}

const say = (value: unknown): Said => ({ value, text: JSON.stringify(value) });

function readRolling({ last: { rolling = {} } }: ScopeLoop): Pick<ScopeReport, "rolling"> {
  if (Object.keys(rolling).length === 0) return {};
  const copied = Object.entries(rolling).map(([service, { asks, moving, ...failed }]) => [
    service,
    { asks: [...asks], moving: [...moving], ...failed },
  ]);
  return { rolling: Object.fromEntries(copied) };
}

/** What was said of a scope, and what that follows from besides how the scope stands. */
interface Told {
  readonly from: readonly unknown[];
  readonly report: Said | undefined;
}

interface Said {
  readonly value: unknown;
  readonly text: string;
}

/** Makes the loop. */
export function createReporting(options: ReportingOptions): Reporting {
  const { self, board, pictures, facts, supervisor, clock, logger } = options;
  const told = new Map<string, string>();
  /** By scope: of one that stands as it did nothing is to be said. */
  const scopes = new Map<string, Told>();
  let toldUnder = "";
  let present: string | undefined;
  const bell = createDoorbell(clock);

  function describeOffer(): Offer | undefined {
    const { node, instances, volumes } = facts.read();
    if (node === undefined) return undefined;
    const { id: _id, ...traits } = node;
    const isPlaced = (scope: string): boolean =>
      supervisor.loop(scope)?.desired.fleet !== undefined;
    // What this node has by itself is none of the fleet's.
    const isOwn = (scope: string): boolean =>
      supervisor.loop(scope) !== undefined && !isPlaced(scope);
    const held = instances
      .filter(({ scope, state }) => state === "running" && !isPlaced(scope))
      .flatMap(({ ports }) => ports.map(({ protocol, hostPort }) => `${protocol}/${hostPort}`));
    return {
      ...traits,
      cpuMillis: self.cpuCount * 1_000,
      memoryBytes: self.memoryBytes,
      devices: self.devices,
      heldPorts: [...new Set(held)].sort(),
      volumes: Object.fromEntries(
        [...groupVolumes(volumes)]
          .filter(([scope]) => !isOwn(scope))
          .map(([scope, names]) => [scope, [...names]]),
      ),
    };
  }

  /** Of a scope that this node was to have and has not, or not yet, it says which intent it knows. */
  function describeScope(scope: string): ScopeReport | undefined {
    const loop = supervisor.loop(scope);
    if (loop !== undefined) {
      const view = options.view(scope);
      const generation = loop.desired.fleet?.generation ?? 0;
      if (view === undefined) return undefined;
      const taken = isUnderWay(loop) ? {} : readTaken(scope);
      return { generation, ...taken, view, ...readRolling(loop) };
    }
    const known = pictures.scope(scope);
    const services = known?.assignment?.services;
    const isHolder = services !== undefined && listPlacedAt(services, self.id) !== undefined;
    return isHolder ? { generation: known?.generation ?? 0, ...readTaken(scope) } : undefined;
  }

  /** The same, made anew only for a scope that stands otherwise, or of which another word is taken. */
  function sayScope(scope: string): Said | undefined {
    const loop = supervisor.loop(scope);
    const taken = options.takenAt(scope);
    const [intent, assigned] = [
      board.list("intent").get(scope),
      board.list("assignments").get(scope),
    ];
    const from = [loop, loop?.desired, loop?.looked, taken, intent, assigned];
    const before = scopes.get(scope);
    if (before?.from.every((one, index) => one === from[index]) === true) return before.report;
    const value = describeScope(scope);
    const report = value === undefined ? undefined : say(value);
    scopes.set(scope, { from, report });
    return report;
  }

  function readTaken(scope: string): Pick<ScopeReport, "taken"> {
    const taken = options.takenAt(scope);
    return taken === undefined ? {} : { taken };
  }

  /** What it has stays said, how its scopes stand does not: nobody knows. */
  function describeAiling(): ReadonlyMap<string, Said> {
    const key = `offers/${self.id}`;
    const offer = told.get(key);
    const reason = facts.problem ?? "it was not asked yet";
    scopes.clear();
    return new Map<string, Said>([
      [`ailing/${self.id}`, say({ reason })],
      ...(offer === undefined ? [] : [[key, say(JSON.parse(offer))] as const]),
    ]);
  }

  /** Keys and values as they should stand. */
  function describeAll(): ReadonlyMap<string, Said> {
    const all = new Map<string, Said>();
    if (!facts.ready) return describeAiling();
    const offer = describeOffer();
    if (offer !== undefined) all.set(`offers/${self.id}`, say(offer));
    const known = new Set([...supervisor.loops.keys(), ...board.list("assignments").keys()]);
    for (const scope of scopes.keys()) if (!known.has(scope)) scopes.delete(scope);
    for (const scope of known) {
      const report = sayScope(scope);
      if (report !== undefined) all.set(`reports/${self.id}/${scope}`, report);
    }
    return all;
  }

  async function tell(): Promise<void> {
    const { lease } = board;
    if (lease === undefined || (!facts.ready && facts.problem === undefined)) return;
    if (lease !== toldUnder) told.clear();
    toldUnder = lease;
    const all = describeAll();
    const operations: StoreOperation[] = [];
    for (const [key, { value, text }] of all)
      if (told.get(key) !== text) operations.push({ kind: "put", key, value, lease });
    for (const key of told.keys()) if (!all.has(key)) operations.push({ kind: "delete", key });
    const count = Math.min(OPERATIONS_MAX, board.operationsMax);
    for (let from = 0; from < operations.length; from += count)
      await board.write(operations.slice(from, from + count));
    for (const [key, { text }] of all) told.set(key, text);
    for (const key of told.keys()) if (!all.has(key)) told.delete(key);
    if (present === lease || !facts.ready) return;
    present = lease;
    options.onPresent?.();
  }

  return {
    get lease() {
      return present;
    },
    wake(scope) {
      if (scope !== undefined) scopes.delete(scope);
      bell.ring();
    },
    async run(signal) {
      board.onChange((keys) => {
        if (touches(keys, ROOMS)) bell.ring();
      });
      let ready = facts.ready;
      const leave = facts.onChange(({ scopes: of }) => {
        // Of its own scopes their loops tell. Of the rest it matters which volumes are there, and who holds a port.
        const isOthers =
          of === undefined || [...of].some((one) => supervisor.loop(one) === undefined);
        if (ready === facts.ready && !isOthers) return;
        ready = facts.ready;
        bell.ring();
      });
      const onFailed = ({ message: reason }: FairleadError): void => {
        if (board.problem === undefined)
          logger.warn("could not say how this node stands", { reason });
      };
      await answerDoorbell(bell, { look: tell, onFailed, pauseMs: INTERVAL_MS }, signal);
      leave();
    },
  };
}
