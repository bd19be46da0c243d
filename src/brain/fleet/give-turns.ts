// SPDX-License-Identifier: Apache-2.0
// Whose turn it is to change, of services that stand on several nodes. A node asks for a slot when it would change or
// restart it; a slot has its turn until its node says that it is well, so that over the whole fleet never more are away than
// `update_config.parallelism` says. Pure: the same picture gives the same turns, whoever leads.
import type { Turns } from "@fairlead/protocol/assignment.ts";
import type { ServiceIntent } from "#model/intent.ts";
import type { FleetPicture, FleetScope } from "./picture.ts";

type Turn = Turns["turns"][number];

/** What has to be written about one service; `turns` undefined: nothing is said of it any more. */
export interface TurnsChange {
  readonly scope: string;
  readonly service: string;
  readonly turns: Turns | undefined;
}

/** A turn is over when its node has neither use for it nor is in the middle of it, or is surely gone. */
function isHeld({ nodes }: FleetPicture, scope: FleetScope, service: string, turn: Turn): boolean {
  if ((nodes.get(turn.node)?.standing ?? "gone") === "gone") return false;
  const report = scope.reports.get(turn.node);
  if (report === undefined) return true;
  const { asks = [], moving = [] } = report.rolling?.[service] ?? {};
  return (
    moving.includes(turn.slot) ||
    asks.some(({ slot, run }) => slot === turn.slot && run === turn.run)
  );
}

/** What nodes ask for that are there, lower slots first. */
function listAsks({ nodes }: FleetPicture, { reports }: FleetScope, service: string): Turn[] {
  const asks = [...reports].flatMap(([node, { rolling }]) =>
    nodes.get(node)?.standing === "up"
      ? (rolling?.[service]?.asks ?? []).map(({ slot, run }) => ({ slot, node, run }))
      : [],
  );
  return asks.sort((a, b) => a.slot - b.slot || (a.node < b.node ? -1 : 1));
}

function findFailure({ reports, generation }: FleetScope, { name, hash }: ServiceIntent) {
  for (const report of reports.values()) {
    const failed = report.rolling?.[name]?.failed;
    if (report.generation === generation && failed?.hash === hash) return failed;
  }
  return undefined;
}

function giveService(
  picture: FleetPicture,
  scope: FleetScope,
  service: ServiceIntent,
): Turns | undefined {
  const { name, update } = service;
  const known = scope.turns?.get(name);
  const held = (known?.value.turns ?? []).filter((turn) => isHeld(picture, scope, name, turn));
  const away = new Set([
    ...held.map(({ slot }) => slot),
    ...[...scope.reports.values()].flatMap(({ rolling }) => rolling?.[name]?.moving ?? []),
  ]);
  const isEarly = known !== undefined && known.ageMs < update.delayMs;
  const given: Turn[] = [...held];
  for (const ask of listAsks(picture, scope, name)) {
    if (given.some(({ slot }) => slot === ask.slot)) continue;
    if (isEarly || (!away.has(ask.slot) && away.size >= update.parallelism)) continue;
    away.add(ask.slot);
    given.push(ask);
  }
  given.sort((a, b) => a.slot - b.slot);
  const before = known?.value.generation === scope.generation ? known.value.failed : undefined;
  const failed = findFailure(scope, service) ?? before;
  // Before the first turn there is nothing to say.
  if (known === undefined && given.length === 0 && failed === undefined) return undefined;
  return {
    generation: scope.generation,
    turns: given,
    ...(failed === undefined ? {} : { failed }),
  };
}

/** All turns that have to be given or taken now. Nothing, when they are as they should be. */
export function giveTurns(picture: FleetPicture): readonly TurnsChange[] {
  const changes: TurnsChange[] = [];
  for (const [scope, one] of picture.scopes) {
    const { intent, removal } = one.wanted;
    const paced = removal === undefined ? intent.services : [];
    const names = new Set(paced.map(({ name }) => name));
    for (const service of one.turns?.keys() ?? [])
      if (!names.has(service)) changes.push({ scope, service, turns: undefined });
    for (const service of paced) {
      const turns = giveService(picture, one, service);
      const before = one.turns?.get(service.name)?.value;
      if (turns === undefined || JSON.stringify(turns) === JSON.stringify(before)) continue;
      changes.push({ scope, service: service.name, turns });
    }
  }
  return changes;
}

/** Whether a turn is only waited for until time has passed. */
export function isTurnDue({ scopes }: FleetPicture): boolean {
  return [...scopes.values()].some(({ wanted, turns, reports }) =>
    wanted.intent.services.some(({ name, update }) => {
      const ageMs = turns?.get(name)?.ageMs ?? Number.POSITIVE_INFINITY;
      if (ageMs >= update.delayMs) return false;
      return [...reports.values()].some(({ rolling }) => (rolling?.[name]?.asks.length ?? 0) > 0);
    }),
  );
}
