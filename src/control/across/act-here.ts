// SPDX-License-Identifier: Apache-2.0
// A node's share of what is asked of services that stand on several.
import type { ActionRequest } from "@fairlead/protocol/requests.ts";
import type { Caller, Operations } from "#control/operations.ts";
import type { Supervisor } from "#control/supervisor.ts";
import type { Plan } from "#model/decision.ts";

/** Acts on what this node has of the services that are named; undefined when that is nothing. */
export type ActHere = (
  scope: string,
  request: ActionRequest,
  caller: Caller,
) => Promise<Plan | undefined>;

/** Makes it, over the operations of this node alone. */
export function createActHere(
  operations: Pick<Operations, "act">,
  supervisor: Pick<Supervisor, "loop">,
): ActHere {
  return async (scope, request, caller) => {
    const has = (supervisor.loop(scope)?.desired.intent.services ?? [])
      .filter(({ slots }) => slots === undefined || slots.length > 0)
      .map(({ name }) => name);
    const all = request.services.length === 0;
    const services = has.filter((name) => all || request.services.includes(name));
    if (services.length === 0) return undefined;
    return operations.act(scope, { ...request, services }, caller);
  };
}
