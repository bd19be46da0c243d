// SPDX-License-Identifier: Apache-2.0
// Network policy on this host's containers, with policies from the fleet's store where there is one.
import { networkInterfaces } from "node:os";
import { formatAddress, parseAddress } from "#base/addresses.ts";
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import type { Fleet } from "#control/fleet.ts";
import { createPolicies, type PolicyLoop } from "#control/policies/create-policies.ts";
import { foreseeStarts } from "#control/policies/foresee-starts.ts";
import { createPolicyShelf } from "#control/policies/policy-shelf.ts";
import type { Roll } from "#control/roll.ts";
import type { Shortcuts } from "#control/shortcuts.ts";
import type { Supervisor } from "#control/supervisor.ts";
import type { Engine } from "#engine/engine.ts";
import { openGuard } from "#guard/open.ts";
import { createNetfilter } from "#netfilter/netfilter.ts";
import { createXtables } from "#netfilter/xtables.ts";
import type { Store } from "#store/store.ts";
import type { RunningDns } from "./start-dns.ts";

export interface PolicyParts {
  /** The node's name server, where it has one. */
  readonly dns: RunningDns | undefined;
  readonly store: Store;
  readonly engine: Pick<Engine, "endpoint" | "previewInstance">;
  readonly loops: { readonly board: FactsBoard; readonly decisions: DecisionLog };
  /** The fleet; undefined for a node by itself. */
  readonly belongs: Fleet | undefined;
  readonly roll: Pick<Roll, "list" | "problem">;
  readonly shortcuts: Shortcuts;
  readonly supervisor: Supervisor;
  /** Told of scopes in which policies hold otherwise than before. */
  readonly onTrouble: (scope: string) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Whether an address is of this host, now. */
function isOwnAddress(address: string): boolean {
  const asked = parseAddress(address);
  const text = asked === undefined ? address : formatAddress(asked.family, asked.value);
  return Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .some((one) => one.address === text);
}

/** The node's name server, where containers can ask it. */
function listResolvers(dns: RunningDns | undefined): readonly string[] {
  return dns === undefined || dns.forContainers.length === 0 ? [] : [dns.address];
}

/** Makes the loop; the rules that it has made stay when the node ends. */
export function startPolicies(parts: PolicyParts, stack: AsyncDisposableStack): PolicyLoop {
  const { store, belongs: fleet, roll, engine, supervisor, loops, clock, logger } = parts;
  const { endpoint } = engine;
  // The store may be opened long after everything has begun, when the caller's stack is another's.
  const opened = stack.use(new AsyncDisposableStack());
  // Rules can be made only on the engine's own host.
  const isHere = endpoint.startsWith("unix:");
  const guard = openGuard(
    isHere
      ? { kind: "host", netfilter: createNetfilter(), xtables: createXtables() }
      : { kind: "absent", endpoint },
  );
  const isWanted = (): boolean => policies.isActive();
  const board = stack.use(foreseeStarts({ board: loops.board, engine, guard, isWanted, clock }));
  const policies = createPolicies({
    resolvers: listResolvers(parts.dns),
    isOwnAddress,
    board,
    decisions: loops.decisions,
    clock,
    shortcuts: parts.shortcuts,
    onTrouble: parts.onTrouble,
    guard,
    shelf: createPolicyShelf({
      openStore: async () => (fleet === undefined ? store : opened.use(await fleet.openStore())),
      fleet: fleet && {
        self: roll.list()[0]?.id ?? "",
        own: store,
        readNodes: () =>
          roll.problem === undefined ? new Set(roll.list().map(({ id }) => id)) : undefined,
      },
      clock,
      logger,
    }),
    intents: () => [...supervisor.loops.values()].map(({ desired }) => desired.intent),
  });
  parts.dns?.askers.open(policies.names);
  return policies;
}
