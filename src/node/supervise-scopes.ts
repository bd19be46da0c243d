// SPDX-License-Identifier: Apache-2.0
// Where all that a scope needs comes together: its loop, its views, its policies, its turns in a fleet.
import { createActor } from "#control/actor.ts";
import { createEvidence } from "#control/evidence.ts";
import { createIntake } from "#control/intake.ts";
import { createScopeViews } from "#control/scope-views.ts";
import { createSupervisor } from "#control/supervisor.ts";
import { createWidths } from "./act-widths.ts";
import type { NodeParts } from "./node-parts.ts";
import { openDesks } from "./open-desks.ts";
import type { Hands } from "./open-hands.ts";
import type { Talk } from "./open-talk.ts";
import { startAgentSockets } from "./start-agent-sockets.ts";
import { createWithdrawing } from "./start-farewells.ts";
import { startPolicies } from "./start-policies.ts";

/** The loops of all scopes, how they stand, and what keeps them in step with a fleet. */
export function superviseScopes(
  parts: NodeParts,
  hands: Hands,
  { identities, dns, placing, addresses, farewells, images, faces, belongs }: Talk,
  { startedAtMs, stack }: { readonly startedAtMs: number; readonly stack: AsyncDisposableStack },
) {
  const { settings, clock, logger } = parts;
  const { store, engine, loops, audit, memory } = hands;
  const { decisions, alerts, feed, board } = loops;
  const sockets = startAgentSockets(
    { settings, engine, loops: () => supervisor.loops, decisions, audit, clock, logger },
    stack,
  );
  const supervisor = createSupervisor({
    store,
    board,
    memory,
    decisions,
    alerts,
    actor: createActor({
      engine,
      board,
      clock,
      images,
      withdraw: createWithdrawing(farewells, (scope) => supervisor.loop(scope)),
      guardNetworks: () => policies.guardNetworks(),
      prepareNetwork: (network) => faces.overlays.prepare(network),
      grantDocker: async (scope, service) => sockets?.grant(scope, service),
      ...(dns === undefined ? {} : { dnsServers: dns.forContainers }),
      places: identities.places,
    }),
    evidence: createEvidence(engine, board),
    clock,
    logger,
    ...createWidths(settings, clock),
    fetchesImages: images !== undefined,
    elsewhere: (scope) => placing?.desk.elsewhere(scope),
    turns: (scope) => placing?.desk.turns(scope),
    fence: (intent) => placing?.fence(intent),
    onPass(loop) {
      views.publishSoon(loop.desired.intent.scope);
      placing?.notePass(loop.desired.intent.scope);
      addresses.wake();
      sockets?.settleSoon();
    },
    startedAtMs,
  });
  const around = { ...hands, ...faces, faces, dns, belongs, supervisor, clock, logger };
  const onTrouble = (scope: string): void => views.publishSoon(scope);
  const policies = startPolicies({ ...around, onTrouble }, stack);
  const told = { fleet: placing?.desk, addresses, farewells, policies };
  const views = createScopeViews(supervisor, board, feed, clock, told);
  const intake = createIntake({ store, board, supervisor, memory, clock });
  const { readLocal: viewLocal, publishSoon } = views;
  addresses.follow({ supervisor, publishSoon });
  const local = { supervisor, intake, viewLocal, publishSoon };
  const together = placing?.attend(local) ?? [];
  const desks = openDesks({ ...around, addresses, placing, board, decisions });
  return { supervisor, views, intake, together, desks, policies };
}
